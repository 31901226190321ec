import { describe, expect, it } from 'vitest';
import type { Counts, Poll } from '../../../src/analysis/counts.ts';
import { beginEvidence, type EvidenceState } from '../../../src/analysis/evidence.ts';
import { judge } from '../../../src/analysis/judge.ts';
import { defaultPolicy, errorsCheck } from '../../../src/analysis/policy.ts';
import { totalWealth } from '../../../src/analysis/total.ts';
import { instant, seconds } from '../../../src/lib/units.ts';
import { counts, errorsPoll, run, start, weight } from './polls.ts';

const polls = (seconds_: number, one: Counts, overrides: Partial<Poll> = {}): Poll[] =>
  Array.from({ length: seconds_ }, (_, k) => errorsPoll(k, one, overrides));

const verdictAt = (state: EvidenceState, later = 0) =>
  judge(state, defaultPolicy, { now: instant((state.at ?? start) + later) });

const reasonOf = (list: readonly Poll[]) => {
  const verdict = verdictAt(run(list));
  return verdict.kind === 'inconclusive' ? verdict.reason : verdict.kind;
};

describe('judge', () => {
  it('holds without any poll', () => {
    const verdict = judge(beginEvidence(defaultPolicy), defaultPolicy, { now: instant(start) });
    expect(verdict).toMatchObject({ kind: 'inconclusive', reason: 'stale-data' });
  });

  it('waits for evidence and says for how many requests and how long', () => {
    const verdict = verdictAt(run(polls(10, counts(1, 0, 99, 0))));
    expect(verdict).toMatchObject({ kind: 'inconclusive', reason: 'not-enough-evidence' });
    if (verdict.kind !== 'inconclusive') return;
    expect(verdict.requestsNeeded).toBeGreaterThan(20);
    expect(verdict.requestsNeeded).toBeLessThan(40);
    expect(verdict.secondsNeeded).toBe(verdict.requestsNeeded);
    expect(verdict.exposedRequests).toBe(10);
  });

  it('passes at 1 % of 100 rps within 40 error-free seconds, as it forecast', () => {
    const first = Array.from({ length: 60 }, (_, k) => k + 1).find(
      (k) => reasonOf(polls(k, counts(1, 0, 99, 0))) === 'pass',
    );
    expect(first).toBeGreaterThan(30);
    expect(first).toBeLessThanOrEqual(40);
  });

  it('keeps a step of plenty of traffic for 15 s', () => {
    const busy = counts(10, 0, 990, 0);
    expect(reasonOf(polls(14, busy))).toBe('min-step');
    expect(reasonOf(polls(15, busy))).toBe('pass');
  });

  it('fails at once and for good, with the canary and stable in the reason', () => {
    const bad = run([...polls(30, counts(10, 2, 990, 1))]);
    const verdict = verdictAt(bad, 3_600_000);
    expect(verdict.kind).toBe('fail');
    expect(verdict.because).toMatch(
      /^errors: canary 20 % \(\d+ of \d+\), stable 0\.10 %, worse than/,
    );
    expect(verdict.because).toMatch(/worse than 1.25 × stable \+ 0.25 %; evidence \d+ of 100$/);
    expect(verdict.blame).toMatchObject({ check: 'errors', canary: 0.2, threshold: 100 });
  });

  it.each([
    ['stale-data', () => verdictAt(run(polls(40, counts(1, 0, 99, 0))), 10_001)],
    ['settling', () => verdictAt(run(polls(3, counts(1, 0, 99, 0), { settling: weight(1) })))],
    ['no-requests', () => verdictAt(run(polls(30, counts(0, 0, 0, 0))))],
    ['no-canary-traffic', () => verdictAt(run(polls(30, counts(0, 0, 100, 0))))],
    ['split-mismatch', () => verdictAt(run(polls(30, counts(20, 0, 80, 0))))],
    ['stable-outage', () => verdictAt(run(polls(30, counts(5, 1, 95, 20), { weight: weight(5) })))],
    [
      'partial-data',
      () => {
        const fine = polls(40, counts(1, 0, 99, 0));
        return verdictAt(run(fine.map((poll, k) => (k > 20 ? { ...poll, checks: {} } : poll))));
      },
    ],
    ['suspicious', () => verdictAt(run(polls(2, counts(1, 1, 99, 0))))],
    [
      'worse-at-full-weight',
      () => verdictAt(run(polls(30, counts(100, 50, 0, 0), { weight: weight(100) }))),
    ],
  ] as const)('holds: %s', (reason, verdict) => {
    expect(verdict()).toMatchObject({ kind: 'inconclusive', reason });
  });

  it('a shared outage neither rejects nor promotes, and all goes on afterwards', () => {
    const at5 = { weight: weight(5), next: weight(10) };
    const outage = [
      ...polls(20, counts(5, 0, 95, 0), at5),
      ...Array.from({ length: 30 }, (_, k) => errorsPoll(20 + k, counts(5, 5, 95, 95), at5)),
    ];
    expect(reasonOf(outage)).toBe('stable-outage');
    const after = Array.from({ length: 600 }, (_, k) =>
      errorsPoll(50 + k, counts(5, 0, 95, 0), at5),
    );
    const reasons = new Set(
      [5, 60, 300, 600].map((n) => reasonOf([...outage, ...after.slice(0, n)])),
    );
    expect(reasons).not.toContain('fail');
    expect(reasonOf([...outage, ...after])).toBe('pass');
  });

  it('rejects a canary that fails far more often than a stable arm in outage', () => {
    expect(reasonOf(polls(30, counts(5, 5, 95, 10), { weight: weight(5) }))).toBe('fail');
  });

  it('the absolute limit rejects a canary that is always at twice of it', () => {
    const policy = {
      ...defaultPolicy,
      checks: [{ ...errorsCheck, worse: { rho: 1.25, delta: 0.5 } }],
    };
    const state = run(polls(200, counts(50, 5, 950, 10), { weight: weight(5) }), policy);
    expect(state.rejected).toMatchObject({ cause: 'limit', check: 'errors' });
    const verdict = judge(state, policy, { now: instant(state.at ?? start) });
    expect(verdict.because).toContain('more than 5.0 % is never acceptable');
  });

  it('a dry-run check is shown and never acts: alone it lets nothing pass either', () => {
    const policy = { ...defaultPolicy, checks: [{ ...errorsCheck, dryRun: true }] };
    const state = run(polls(60, counts(10, 10, 990, 0)), policy);
    const verdict = judge(state, policy, { now: instant(state.at ?? start) });
    expect(verdict).toMatchObject({ kind: 'inconclusive', reason: 'not-enough-evidence' });
    expect(verdict.checks[0]).toMatchObject({ dryRun: true, adds: 0 });
    expect(verdict.checks[0]?.evidence).toBeGreaterThan(100);
  });

  it('a second start after lost history needs twice the money', () => {
    const once = beginEvidence(defaultPolicy, { afterLoss: 1 });
    const state = run(polls(3, counts(1, 0, 99, 0)), defaultPolicy, once);
    expect(verdictAt(state).threshold).toBe(200);
    expect(beginEvidence(defaultPolicy, { afterLoss: once.alphaShare }).alphaShare).toBe(0.25);
  });

  it('does not take a short gap for stale data', () => {
    const state = run(polls(40, counts(1, 0, 99, 0)));
    expect(verdictAt(state, seconds(9)).kind).toBe('pass');
  });
});

it('adds what was counted up once for a state, and anew for another policy', () => {
  const state = run([errorsPoll(0, counts(5, 1, 95, 0))], defaultPolicy);
  const judged = () => judge(state, defaultPolicy, { now: instant(9e12) });
  expect(judged().checks).toBe(judged().checks);
  expect(totalWealth(state, defaultPolicy)).toBe(totalWealth(state, defaultPolicy));
  const half = { ...defaultPolicy, alpha: defaultPolicy.alpha / 2 };
  expect(totalWealth(state, half).needed).toBe(2 * totalWealth(state, defaultPolicy).needed);
  expect(judged().threshold).toBe(1 / defaultPolicy.alpha);
});
