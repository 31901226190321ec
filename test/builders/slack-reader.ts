import type { SlackMessage } from '../../src/notifiers/slack-message.ts';

// What a reader sees of a Slack message, as plain lines: mrkdwn undone, fields side by side, the
// colour bar as `▌`. Only what our messages use.

const undo = (mrkdwn: string): string =>
  mrkdwn
    .replace(/<!date\^\d+\^[^|]*\|([^>]*)>/g, '$1')
    .replace(/<([^|>]+)\|([^>]*)>/g, '$2')
    .replace(/[*`]/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');

interface Text {
  readonly text: string;
}
interface Block {
  readonly text?: Text;
  readonly fields?: readonly Text[];
  readonly elements?: readonly Text[];
}

/** Two columns, row by row, as Slack lays out a section's fields. */
function columns(fields: readonly Text[]): string[] {
  const rows: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const [left, right] = [fields[i], fields[i + 1]].map((f) => undo(f?.text ?? '').split('\n'));
    for (let line = 0; line < Math.max(left?.length ?? 0, right?.length ?? 0); line += 1) {
      rows.push(`${(left?.[line] ?? '').padEnd(28)}${right?.[line] ?? ''}`.trimEnd());
    }
  }
  return rows;
}

const lines = (block: Block): string[] => [
  ...(block.text === undefined ? [] : undo(block.text.text).split('\n')),
  ...(block.fields === undefined ? [] : columns(block.fields)),
  ...(block.elements ?? []).map((element) => undo(element.text)),
];

export function readSlack(message: SlackMessage): string {
  const head = message.blocks.flatMap((block) => lines(block as Block));
  const bar = message.attachments.flatMap((attachment) =>
    (attachment.blocks ?? []).flatMap((block) => lines(block as Block).map((line) => `▌ ${line}`)),
  );
  return [...head, ...bar].join('\n');
}
