import type { KnownBlock, MessageAttachment, MrkdwnElement } from '@slack/types';
import { toRfc3339 } from '../lib/units.ts';
import type { Notice, NoticeKind } from '../rollout/notice.ts';
import {
  blamed,
  describeDuration,
  describeEvidence,
  describeExposure,
  describePlace,
  describeValue,
  happened,
  nextSteps,
  plainLines,
} from './facts.ts';
import { code, link, plain } from './slack-text.ts';

/**
 * Body of an incoming webhook. `parse` and `link_names` off: no plain `@here` ever becomes a
 * mention.
 */
export interface SlackMessage {
  /** What notifications and screen readers give; shown only where blocks are not. */
  readonly text: string;
  readonly blocks: KnownBlock[];
  readonly attachments: MessageAttachment[];
  readonly parse: 'none';
  readonly link_names: false;
  readonly unfurl_links: false;
  readonly unfurl_media: false;
}

export interface SlackContext {
  readonly cluster?: string | undefined;
  readonly link?: string | undefined;
}

/**
 * Room per piece. Slack takes 3,000 characters per section, 2,000 per field, and in all about
 * 13,000 per message; a message at every limit here has fewer than 10,000.
 */
const room = { name: 253, image: 230, images: 5, reason: 900, fallback: 2500 } as const;

const red = '#c92a2a';
const amber = '#f08c00';
const green = '#2b8a3e';
const blue = '#1971c2';

/** The colour bar, and a sign of the same meaning for the headline. */
const look: Readonly<Record<NoticeKind, { readonly color: string; readonly sign: string }>> = {
  rollback: { color: red, sign: ':red_circle:' },
  promotion: { color: green, sign: ':large_green_circle:' },
  hold: { color: amber, sign: ':large_yellow_circle:' },
  paused: { color: amber, sign: ':large_yellow_circle:' },
  invalid: { color: amber, sign: ':large_yellow_circle:' },
  started: { color: blue, sign: ':large_blue_circle:' },
  superseded: { color: amber, sign: ':large_yellow_circle:' },
};

export function slackMessage(notice: Notice, context: SlackContext = {}): SlackMessage {
  const { color, sign } = look[notice.kind];
  const app = code(`${notice.namespace}/${notice.deployment}`, room.name * 2);
  const where = context.cluster === undefined ? '' : ` on ${code(context.cluster, room.name)}`;
  const place = notice.kind === 'invalid' ? '' : ` ${describePlace(notice)}`;
  const fallback = plain(plainLines(notice).join(' · '), room.fallback);
  return {
    text: fallback,
    blocks: [section(`${sign} *${happened[notice.kind]}* ${app}${where}${place}`)],
    attachments: [{ color, fallback, blocks: details(notice, context) }],
    parse: 'none',
    link_names: false,
    unfurl_links: false,
    unfurl_media: false,
  };
}

function details(notice: Notice, context: SlackContext): KnownBlock[] {
  const next = nextSteps(notice);
  const { kind } = notice;
  return [
    section(plain(notice.because, room.reason) || 'no reason given'),
    ...blamed(notice).map((sentence) => section(plain(sentence, room.reason))),
    ...(kind === 'invalid' || kind === 'started' ? [] : [fields(figures(notice))]),
    ...(kind === 'invalid' ? [] : [section(imageLines(notice))]),
    section(`${next.words}\n${code(next.command, 2 * room.name + 60)}`),
    { type: 'context', elements: [mrkdwn(small(notice, context))] },
  ];
}

/**
 * Title and value, two columns: the metric to blame, its evidence, who met it, how long it took.
 */
function figures(notice: Notice): readonly (readonly [title: string, value: string])[] {
  const { metric, kind } = notice;
  const compared = (m: NonNullable<typeof metric>) =>
    [
      [m.check, `${describeValue(m, m.canary)} in canary\n${describeValue(m, m.stable)} in stable`],
      ['evidence that it is worse', describeEvidence(m)],
    ] as const;
  const over = kind === 'rollback' || kind === 'promotion' || kind === 'superseded';
  return [
    ...(metric === undefined ? [] : compared(metric)),
    ['canary answered', describeExposure(notice)],
    [over ? 'took' : 'under way for', describeDuration(notice)],
  ];
}

function imageLines(notice: Notice): string {
  if (notice.images.length === 0) return 'same images, another pod template';
  const shown = notice.images.slice(0, room.images);
  const left = notice.images.length - shown.length;
  const lines = shown.map((image) => {
    const change = `${code(image.from, room.image)} → ${code(image.to, room.image)}`;
    return notice.images.length === 1 ? change : `${code(image.container, 63)} ${change}`;
  });
  return [...lines, ...(left > 0 ? [`and ${left} more`] : [])].join('\n');
}

/** The small print: which rule, which revision, when, and where to read on. */
function small(notice: Notice, context: SlackContext): string {
  const seconds = Math.floor(notice.at / 1000);
  const attempt = notice.attempt > 1 ? `, attempt ${notice.attempt}` : '';
  const time = `<!date^${seconds}^{date_short_pretty} {time_secs}|${toRfc3339(notice.at)}>`;
  return [
    `rule ${code(notice.rule, 80)}`,
    `revision ${code(notice.revision, 80)}${attempt}`,
    time,
    ...(context.link === undefined ? [] : [link(context.link, 'more')]),
  ].join(' · ');
}

/** `verbatim`: Slack links and mentions nothing that is not written as a link or mention. */
const mrkdwn = (text: string): MrkdwnElement => ({ type: 'mrkdwn', text, verbatim: true });
const section = (text: string): KnownBlock => ({ type: 'section', text: mrkdwn(text) });
const fields = (pairs: readonly (readonly [string, string])[]): KnownBlock => ({
  type: 'section',
  fields: pairs.map(([title, value]) => mrkdwn(`*${plain(title, 100)}*\n${value}`)),
});
