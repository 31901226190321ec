import { describe, expect, it } from 'vitest';
import { advance } from '../../../src/analysis/advance.ts';
import type { Counts } from '../../../src/analysis/counts.ts';
import { beginEvidence, type EvidenceState } from '../../../src/analysis/evidence.ts';
import { explainPoll, plainPoll } from '../../../src/analysis/explained.ts';
import { judge } from '../../../src/analysis/judge.ts';
import { packEvidence, unpackEvidence } from '../../../src/analysis/packing.ts';
import {
  type AnalysisPolicy,
  defaultPolicy,
  errorsCheck,
  latencyCheck,
  restartsCheck,
} from '../../../src/analysis/policy.ts';
import { countWords, rateWords } from '../../../src/analysis/restart-words.ts';
import { poisson } from '../../../src/analysis/variates.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { instant, millis } from '../../../src/lib/units.ts';
import { counts, errorsPoll, run, weight } from './polls.ts';

const policy: AnalysisPolicy = { ...defaultPolicy, checks: [errorsCheck, restartsCheck] };
const noErrors = counts(150, 0, 1350, 0);
const hour = 3600;

interface Rates {
  /** Restarts of a pod in an hour. */
  readonly canary: number;
  readonly stable: number;
  readonly runs: number;
  readonly minutes: number;
  readonly checks?: AnalysisPolicy['checks'];
}

/** One canary pod beside nine of stable, polls of 15 s: seconds until each rejection. */
function rejections({ canary, stable, runs, minutes, checks = policy.checks }: Rates): number[] {
  const random = seededRandom(11);
  const own = { ...policy, checks };
  const span = 15;
  const priors = { restarts: { badRates: [stable / hour] } };
  const drawn = (): Counts =>
    counts(
      span,
      poisson((span * canary) / hour, random),
      9 * span,
      poisson((9 * span * stable) / hour, random),
    );
  return Array.from({ length: runs }, () => {
    let state = beginEvidence(own);
    for (let k = 0; k < (minutes * 60) / span && state.rejected === null; k += 1) {
      const told = { errors: [noErrors], restarts: [drawn()] };
      const overrides = { seconds: span, weight: weight(10), priors, checks: told };
      state = advance(state, errorsPoll(k, noErrors, overrides), own);
    }
    return state.rejected === null ? Number.POSITIVE_INFINITY : (state.at ?? 0) - start(state);
  })
    .filter(Number.isFinite)
    .map((span) => span / 1000)
    .toSorted((a, b) => a - b);
}
const start = ({ startedAt }: EvidenceState): number => startedAt ?? 0;

describe('of 2,000 rollouts of half an hour', () => {
  const alone = { runs: 2000, minutes: 30, checks: [restartsCheck] };

  it.each([
    ['that restart as stable does, six times an hour', { ...alone, canary: 6, stable: 6 }],
    ['on the line of what is tolerated', { ...alone, canary: 1.25 * 6 + 1, stable: 6 }],
  ])(
    '%s, at most 1 %% are rejected, all money on restarts',
    (_what, rates) => {
      expect(rejections(rates).length).toBeLessThanOrEqual(20);
    },
    60_000,
  );
});

describe('a canary that restarts far more often', () => {
  it.each([
    // 10 minutes, beside a check of errors that sees nothing.
    ['ten times as often as stable, sixty times an hour', { canary: 60, stable: 6 }, 400, 900],
    ['twelve times an hour beside a stable that never does', { canary: 12, stable: 0 }, 900, 2000],
  ])('%s is rejected', (_what, rates, least, most) => {
    const found = rejections({ ...rates, runs: 200, minutes: 120 });
    expect(found.length).toBeGreaterThan(196);
    const median = found[100] ?? 0;
    expect(median).toBeGreaterThan(least);
    expect(median).toBeLessThan(most);
  });
});

it('evidence goes on from a record as if there had been none, at any poll', () => {
  const all = polls(20, 60).map((poll) => ({
    ...poll,
    priors: { restarts: { badRates: [1 / 7000] } },
  }));
  const whole = run(all, policy);
  expect(whole.checks['restarts']?.components[0]?.total.xc).toBe(3);
  for (const cut of all.keys()) {
    const record = packEvidence(run(all.slice(0, cut), policy));
    expect(run(all.slice(cut), policy, unpackEvidence(record))).toEqual(whole);
  }
});

/** Two canary pods and eight of stable, a second each; every so many seconds one restarts. */
const polls = (every: number, length = 900, errors = counts(10, 0, 90, 0)) =>
  Array.from({ length }, (_, k) =>
    errorsPoll(k, errors, {
      weight: weight(10),
      checks: {
        errors: [errors],
        restarts: [counts(2, k % every === every - 1 ? 1 : 0, 8, k === 10 ? 1 : 0)],
      },
    }),
  );
const judged = (state: EvidenceState, own = policy) =>
  judge(state, own, { now: state.at ?? instant(0) });

describe('what people are told of restarts', () => {
  it('a rejection counts them in pod-hours, and no request', () => {
    const state = run(polls(60), policy);
    const verdict = judged(state);
    expect(verdict.because).toMatch(
      /^restarts: canary \d+ restarts in 0\.\d+ pod-hours, stable 1 in 2, /,
    );
    expect(verdict.because).toContain('worse than 1.25 × stable + 1 per pod-hour; evidence ');
    expect(verdict.because).not.toMatch(/%|request/);
    expect(verdict.blame).toMatchObject({ check: 'restarts', per: 'pod-second' });
    expect(verdict).toMatchObject({ exposedRequests: 9000, failedRequests: 0 });
  });

  it('they are those of the whole rollout, whatever the step', () => {
    const first = run(polls(60, 300), policy);
    const [last] = polls(60, 301).slice(-1);
    if (last === undefined) throw new Error('there are polls');
    const second = advance(first, { ...last, step: 1 }, policy);
    const report = judged(second).checks[1];
    expect(report).toMatchObject({ per: 'pod-second', canary: { bad: 5, total: 602 } });
    expect(judged(second).checks[0]).toMatchObject({ canary: { total: 10 } });
    expect(judged(second).checks[0]?.per).toBeUndefined();
    expect(plainPoll(explainPoll(last, second, policy)).checks[1]).toMatchObject({
      per: 'pod-second',
      excess: null,
      promotion: null,
    });
  });

  it.each([
    [{ bad: 3, total: 1440 }, '3 restarts in 0.4 pod-hours'],
    [{ bad: 1, total: 36_000 }, '1 restart in 10 pod-hours'],
    [{ bad: 0, total: 0 }, '0 restarts in 0 pod-hours'],
  ])('%o: %s', (share, words) => {
    expect(countWords(share)).toBe(words);
  });

  it.each([
    [1 / 3600, '1 per pod-hour'],
    [0.25 / 3600, '0.25 per pod-hour'],
    [123.4 / 3600, '123 per pod-hour'],
    [0, '0 per pod-hour'],
  ])('a rate of %d per pod-second is %s', (rate, words) => {
    expect(rateWords(rate)).toBe(words);
  });
});

describe('pod-seconds are no requests', () => {
  const latency = { ...latencyCheck, bounds: [0.1] };

  it('not of those who met the canary, wherever the check stands', () => {
    const own = { ...policy, checks: [restartsCheck, latency] };
    const told = polls(60, 30).map((poll) => ({
      ...poll,
      checks: { restarts: poll.checks['restarts'] ?? [], latency: [counts(10, 1, 90, 9)] },
    }));
    const state = run(told, own);
    // The first poll of a weight is not counted for latency.
    expect(judged(state, own)).toMatchObject({ exposedRequests: 290, failedRequests: 0 });
    expect(state.recent.nc).toBeGreaterThan(0);
    expect(state.recent.xc).toBe(0);
  });

  it('not of a service that nobody asks', () => {
    const state = run(polls(1e9, 60, counts(0, 0, 0, 0)), policy);
    expect(judged(state)).toMatchObject({ reason: 'no-requests' });
  });

  it('not of the time until the next step', () => {
    // A request in ten seconds beside fifty canary pods.
    const told = Array.from({ length: 60 }, (_, k) => {
      const errors = counts(k % 10 === 0 ? 1 : 0, 0, k % 10 === 5 ? 9 : 0, 0);
      const checks = { errors: [errors], restarts: [counts(50, 0, 450, 0)] };
      return errorsPoll(k, errors, { weight: weight(10), next: weight(100), checks });
    });
    const verdict = judged(run(told, policy));
    if (verdict.kind !== 'inconclusive') throw new Error(verdict.kind);
    expect(verdict.reason).toBe('not-enough-evidence');
    const perSecond = (verdict.requestsNeeded ?? 0) / (verdict.secondsNeeded ?? 0);
    expect(perSecond).toBeCloseTo(0.1, 2);
  });

  it('and a restart is not a part of one: a fresh pod may end in its first second', () => {
    const fresh = [counts(0, 1, 8, 0), counts(0, 1, 8, 0), counts(0, 1, 8, 0)];
    const state = run(
      fresh.map((one, k) =>
        errorsPoll(k, noErrors, { checks: { errors: [noErrors], restarts: [one] } }),
      ),
      policy,
    );
    expect(state.checks['restarts']?.components[0]?.total).toEqual(counts(0, 3, 24, 0));
  });

  it('promotion waits for none', () => {
    const told = polls(1e9, 200, counts(10, 0, 90, 0)).map((poll) => ({
      ...poll,
      checks: { errors: poll.checks['errors'] ?? [] },
    }));
    const state = run(told, policy);
    expect(judge(state, policy, { now: state.at ?? instant(0), interval: millis(1000) }).kind).toBe(
      'pass',
    );
  });
});
