import { expect, test } from 'vitest';
import { lookBack } from '../../../src/controller/look-back.ts';
import { settingsOf } from '../../../src/controller/settings.ts';
import { instant, minutes, seconds } from '../../../src/lib/units.ts';
import { sampleLimit } from '../../../src/metric-sources/answer.ts';
import { historyOf } from '../../../src/metric-sources/history.ts';
import {
  type EvidenceRequest,
  type MetricSource,
  type Reading,
  unusable,
} from '../../../src/metric-sources/metric-source.ts';
import { compileChecks } from '../../../src/metric-sources/template.ts';
import { parseConfig } from '../../../src/spec/config-file.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';
import { checkNamed, namesOf } from '../metric-sources/rows.ts';

const own = 'namespace="$namespace",pod=~"$pods"';
const parsed = parseConfig(
  `
sources: { default: { url: http://prometheus:9090 } }
defaults: { checks: [native] }
templates:
  native:
    nativeHistogram: duration_seconds{${own}}
  classic:
    buckets: duration_seconds_bucket{${own}}
checks:
  native: { kind: histogram, template: native }
  classic: { kind: histogram, template: classic }
`,
  'x',
);
if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
const compiled = compileChecks(parsed.config);
const settings = settingsOf(parsed.config);
const at = instant(1_800_000_123_000);

/** Ten requests a second since `age` ago, seen as a subquery sees them: at multiples of a step. */
function readingOf({ window, resolution = seconds(1) }: EvidenceRequest, age: number): Reading {
  const times: number[] = [];
  let time = Math.ceil(Math.max(at - window + 1, at - age) / resolution) * resolution;
  for (; time <= at; time += resolution) times.push(time);
  const values = times.map((time) => (time - (at - age)) / 100);
  const of = { key: 'a', arm: 'stable', bad: false, bound: Number.POSITIVE_INFINITY } as const;
  const series = [{ ...of, pod: '', times, values }];
  return { kind: 'series', from: instant(at - window), at, series };
}

async function lookedBack(check: string, answer: (request: EvidenceRequest) => Reading) {
  const asked: (readonly [window: number, resolution: number | undefined])[] = [];
  const source: MetricSource = {
    read: async ([request]) => {
      if (request === undefined) return new Map();
      asked.push([request.window / 1000, request.resolution && request.resolution / 1000]);
      return new Map([[request.id, answer(request)]]);
    },
    queries: () => new Map(),
    close: () => undefined,
  };
  const clock = virtualClock();
  const parts = { clock, settings, sources: new Map([['default', source]]) };
  const seen = await lookBack(checkNamed(check, compiled), namesOf(), at, parts);
  if (seen === 'away' || seen === undefined) return { asked, told: seen };
  return { asked, told: { requests: historyOf(seen.set).requests, width: seen.width / 1000 } };
}

const hourRarely = [3600, 225];
const minutesOften = [240, 15];

test.each([
  ['of an hour', minutes(60), [hourRarely], { requests: 33_750, width: 225 }],
  ['of eight minutes', minutes(8), [hourRarely], { requests: 2250, width: 225 }],
  // No two looks 225 s apart see it.
  ['of three minutes', minutes(3), [hourRarely, minutesOften], { requests: 1650, width: 15 }],
  ['of forty seconds', seconds(40), [hourRarely, minutesOften], { requests: 300, width: 15 }],
  ['of a few seconds', seconds(2), [hourRarely, minutesOften], { requests: 0, width: 15 }],
])('a native histogram %s', async (_what, age, asked, told) => {
  const seen = await lookedBack('native', (request) => readingOf(request, age));
  expect(seen).toEqual({ asked, told });
});

test('a classic histogram is looked at once, whatever is there', async () => {
  const seen = await lookedBack('classic', (request) => readingOf(request, seconds(2)));
  expect(seen).toEqual({ asked: [[3600, 15]], told: { requests: 0, width: 15 } });
});

/** As if each look had so many samples: those of all series of all pods. */
const crowded = (samplesPerLook: number) => (request: EvidenceRequest) => {
  const looks = request.window / (request.resolution ?? seconds(1));
  return looks * samplesPerLook > sampleLimit
    ? unusable('too-large', 'more than 50000 samples')
    : readingOf(request, minutes(60));
};

test.each([
  ['classic', 'ten pods', 10 * 12, [15]],
  ['classic', 'fifty pods', 50 * 12, [15, 60]],
  ['classic', 'a thousand pods', 1000 * 12, [15, 60, 240, 960]],
  ['native', 'ten pods', 10 * 81, [225]],
  ['native', 'a hundred pods', 100 * 81, [225, 900]],
])('a %s histogram of %s is looked at as closely as fits', async (kind, _what, size, widths) => {
  const { asked, told } = await lookedBack(kind, crowded(size));
  expect(asked).toEqual(widths.map((width) => [3600, width]));
  const seen = told === 'away' ? undefined : told;
  expect(seen?.width).toBe(widths.at(-1));
  expect(seen?.requests).toBeGreaterThan(20_000);
});

test('what never fits is given up', async () => {
  const { asked, told } = await lookedBack('native', crowded(1e6));
  expect(asked.map(([, width]) => width)).toEqual([225, 900]);
  expect(told).toBeUndefined();
});

test.each([
  ['unreachable', 'away'],
  ['http-error', 'away'],
  ['partial', 'away'],
  ['clock-skew', 'away'],
  ['arms-not-separable', undefined],
  ['no-stable-data', undefined],
] as const)('an answer that is %s is %s, without a second question', async (code, told) => {
  const seen = await lookedBack('native', () => unusable(code, 'it said so'));
  expect(seen).toEqual({ asked: [hourRarely], told });
});

test.each([
  ['classic', [3600, 15]],
  ['native', hourRarely],
])('a %s history that takes too long is asked for the last minutes', async (check, first) => {
  const late = unusable('timeout', 'late');
  const asked = [first, minutesOften];
  const seen = await lookedBack(check, (request) =>
    request.window > minutes(5) ? late : readingOf(request, minutes(60)),
  );
  expect(seen).toEqual({ asked, told: { requests: 2250, width: 15 } });
  expect(await lookedBack(check, () => late)).toEqual({ asked, told: 'away' });
});

test('a source that hangs is told to stop after five seconds of our clock', async () => {
  const clock = virtualClock();
  const source: MetricSource = {
    read: ([request], _at, signal) =>
      new Promise((resolve) => {
        const stop = () => resolve(new Map([[request?.id ?? '', unusable('cancelled', '')]]));
        signal.addEventListener('abort', stop, { once: true });
      }),
    queries: () => new Map(),
    close: () => undefined,
  };
  const parts = { clock, settings, sources: new Map([['default', source]]) };
  let seen: unknown = 'nothing yet';
  void lookBack(checkNamed('classic', compiled), namesOf(), at, parts).then((found) => {
    seen = found;
  });
  await clock.advance(seconds(4.9));
  expect(seen).toBe('nothing yet');
  await clock.advance(seconds(0.1));
  expect(seen).toBe('away');
});
