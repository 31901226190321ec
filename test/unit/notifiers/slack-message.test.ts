import { expect, test } from 'vitest';
import { percent, ratio } from '../../../src/lib/units.ts';
import { slackMessage } from '../../../src/notifiers/slack-message.ts';
import type { Notice, NoticeKind } from '../../../src/rollout/notice.ts';
import { aNotice } from '../../builders/notice.ts';
import { readSlack } from '../../builders/slack-reader.ts';

test('a rollback, as people read it', () => {
  expect(
    readSlack(slackMessage(aNotice(), { cluster: 'eu-1', link: 'https://d.example/x' })),
  ).toMatchInlineSnapshot(`
    ":red_circle: Rolled back shop/web on eu-1 at 5 %, step 2 of 5
    ▌ the canary fails more requests than stable: error-ratio 4.1 % against 0.2 %
    ▌ error-ratio                 evidence that it is worse
    ▌ 4.1 % in canary             103 of 100
    ▌ 0.2 % in stable
    ▌ canary answered             took
    ▌ 1,213 requests, 50 failed   48 s
    ▌ example.com/shop/web:1.4.2 → example.com/shop/web:1.5.0
    ▌ All traffic is on stable. Ship a fix, or try this revision again:
    ▌ kubectl haldane retry web -n shop
    ▌ rule evidenceWorse · revision 7c9d5f6b8 · 2026-11-20T14:03:22.000Z · more"
  `);
});

test('how much worse the canary is stands below the reason', () => {
  const { metric } = aNotice();
  const known = { ...metric, excess: { low: 0.02, high: 0.06 } } as typeof metric & object;
  const lines = readSlack(slackMessage(aNotice({ metric: known }))).split('\n');
  expect(lines[2]).toBe(
    '▌ error-ratio: the bad share of the canary is 2.0 to 6.0 points above stable ' +
      '(each end wrong at most 1 time in 20, whenever it is read).',
  );
});

test('a rollback without traffic, as people read it', () => {
  const notice = aNotice({
    rule: 'podsBroken',
    because: 'pod web-5d9c: image example.com/shop/web:1.5.0 cannot be pulled',
    step: 0,
    weight: percent(0),
    exposedRequests: 0,
    failedRequests: 0,
    attempt: 2,
  });
  const { metric: _none, ...rest } = notice;
  expect(readSlack(slackMessage(rest))).toMatchInlineSnapshot(`
    ":red_circle: Rolled back shop/web before any traffic
    ▌ pod web-5d9c: image example.com/shop/web:1.5.0 cannot be pulled
    ▌ canary answered             took
    ▌ no request                  48 s
    ▌ example.com/shop/web:1.4.2 → example.com/shop/web:1.5.0
    ▌ All traffic is on stable. Ship a fix, or try this revision again:
    ▌ kubectl haldane retry web -n shop
    ▌ rule podsBroken · revision 7c9d5f6b8, attempt 2 · 2026-11-20T14:03:22.000Z"
  `);
});

test('what a notification shows', () => {
  expect(slackMessage(aNotice()).text.split(' · ').join('\n')).toMatchInlineSnapshot(`
    "Rolled back: shop/web at 5 %, step 2 of 5
    Why: the canary fails more requests than stable: error-ratio 4.1 % against 0.2 % (evidenceWorse)
    Metric: error-ratio 4.1 % in canary, 0.2 % in stable; evidence 103 of 100
    Image web: example.com/shop/web:1.4.2 → example.com/shop/web:1.5.0
    Canary answered 1,213 requests, 50 failed, in 48 s"
  `);
});

test.each<[kind: NoticeKind, headline: string, color: string]>([
  ['rollback', ':red_circle: *Rolled back* `shop/web` at 5 %, step 2 of 5', '#c92a2a'],
  ['promotion', ':large_green_circle: *Promoted* `shop/web` at 5 %, step 2 of 5', '#2b8a3e'],
  ['hold', ':large_yellow_circle: *Holding* `shop/web` at 5 %, step 2 of 5', '#f08c00'],
  ['paused', ':large_yellow_circle: *Paused* `shop/web` at 5 %, step 2 of 5', '#f08c00'],
  ['invalid', ':large_yellow_circle: *Cannot start* `shop/web`', '#f08c00'],
  ['started', ':large_blue_circle: *Canary started* `shop/web` at 5 %, step 2 of 5', '#1971c2'],
  ['superseded', ':large_yellow_circle: *Superseded* `shop/web` at 5 %, step 2 of 5', '#f08c00'],
])('%s: its headline and colour', (kind, headline, color) => {
  const message = slackMessage(aNotice({ kind }));
  expect(message.blocks).toMatchObject([{ text: { text: headline } }]);
  expect(message.attachments[0]?.color).toBe(color);
});

const hostile: readonly string[] = [
  '<!channel>',
  '<!here>',
  '<!everyone>',
  '<@U024BE7LH>',
  '<#C024BE7LR>',
  '<!subteam^S1>',
  '<http://evil.example|ok>',
  '<mailto:a@b.example|x>',
  '<javascript:alert(1)|x>',
  '`<!here>`',
  '```<!here>```',
  '&lt;!here&gt;',
  '\n<!channel>\n',
  '\u202e<!here>',
  '<!date^1^{date}|x>',
  '<script>alert(1)</script>',
  '*<!channel>*',
  '><!channel>',
  '<<!channel>>',
  '<!channel',
  'a|<!here>',
  '\\<!here\\>',
  '\u0000<!here>',
  '%3C!here%3E',
  '＜!here＞',
  '<!here|@here>',
  '\ud800<!here>',
  '<'.repeat(3000),
  '`'.repeat(3000),
  '&'.repeat(3000),
];

test.each(hostile)('nothing in a notice becomes markup: %.20s', (text) => {
  const notice = aNotice({
    namespace: text,
    deployment: text,
    revision: text,
    rule: text,
    because: text,
    images: [{ container: text, from: text, to: text }],
    metric: { check: text, canary: ratio(1), stable: ratio(0), evidence: 1, threshold: 100 },
  });
  const message = slackMessage(notice, { cluster: text });
  for (const shown of textsOf(message)) {
    // The only markup is the time, which we write.
    expect(
      shown.replace(/<!date\^\d+\^\{date_short_pretty\} \{time_secs\}\|[0-9TZ:.-]+>/, ''),
    ).not.toMatch(/[<>]/);
  }
  expect(message).toMatchObject({ parse: 'none', link_names: false });
  expect(JSON.stringify(message)).not.toContain('"verbatim":false');
});

test("Slack's limits hold for a notice that is far too long in every way", () => {
  const long = '&'.repeat(10_000);
  const images = Array.from({ length: 300 }, () => ({ container: long, from: long, to: long }));
  const notice: Notice = aNotice({
    namespace: long,
    deployment: long,
    revision: long,
    rule: long,
    because: long,
    images,
    metric: { check: long, canary: ratio(1), stable: ratio(0), evidence: 1e300, threshold: 100 },
    exposedRequests: Number.MAX_SAFE_INTEGER,
  });
  const message = slackMessage(notice, { cluster: long });
  const blocks = [...message.blocks, ...(message.attachments[0]?.blocks ?? [])];
  expect(blocks.length).toBeLessThanOrEqual(50);
  for (const block of blocks as { text?: Text; fields?: Text[]; elements?: Text[] }[]) {
    expect(block.text?.text.length ?? 1).toBeLessThanOrEqual(3000);
    expect(block.fields?.length ?? 0).toBeLessThanOrEqual(10);
    expect(block.elements?.length ?? 0).toBeLessThanOrEqual(10);
    for (const part of [...(block.fields ?? []), ...(block.elements ?? [])]) {
      expect(part.text.length).toBeLessThanOrEqual(2000);
    }
  }
  expect(message.text.length).toBeLessThanOrEqual(4000);
  expect(JSON.stringify(blocks).length).toBeLessThanOrEqual(13_000);
});

interface Text {
  readonly text: string;
}

/** Every string that Slack reads as mrkdwn. */
function textsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    typeof part === 'string' ? (['text', 'fallback'].includes(key) ? [part] : []) : textsOf(part),
  );
}
