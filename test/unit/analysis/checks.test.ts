import { describe, expect, it } from 'vitest';
import type { Poll } from '../../../src/analysis/counts.ts';
import { judge } from '../../../src/analysis/judge.ts';
import {
  type AnalysisPolicy,
  checkShares,
  defaultPolicy,
  errorsCheck,
  latencyCheck,
  latencyObjectiveCheck,
  restartsCheck,
} from '../../../src/analysis/policy.ts';
import { binomial } from '../../../src/analysis/variates.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { counts, errorsPoll, run, weight } from './polls.ts';

/** Share of requests slower than 0.1, 0.25 and 0.5 s: stable's, and of a release 1.5 × slower. */
const bounds = [0.1, 0.25, 0.5];
const stableTails = [0.355, 0.0289, 0.0011];
const slowerTails = [0.62, 0.114, 0.0088];

const policy: AnalysisPolicy = {
  ...defaultPolicy,
  checks: [errorsCheck, { ...latencyCheck, bounds }, { ...latencyObjectiveCheck, bounds: [0.5] }],
};

function latencyPolls(tails: readonly number[], length: number, seed: number): Poll[] {
  const random = seededRandom(seed);
  return Array.from({ length }, (_, k) => {
    const latency = bounds.map((_bound, i) =>
      counts(
        50,
        binomial(50, tails[i] ?? 0, random),
        450,
        binomial(450, stableTails[i] ?? 0, random),
      ),
    );
    return errorsPoll(k, counts(50, 0, 450, 0), {
      seconds: 5,
      weight: weight(10),
      next: weight(25),
      priors: { latency: { badRates: stableTails } },
      checks: {
        errors: [counts(50, 0, 450, 0)],
        latency,
        'latency-objective': latency.slice(2),
      },
    });
  });
}

describe('latency', () => {
  it('a release 1.5 × slower, without an error, is rejected within a minute', () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const state = run(latencyPolls(slowerTails, 12, seed), policy);
      expect(state.rejected?.check).toMatch(/^latency/);
      const verdict = judge(state, policy, { now: state.at ?? (0 as never) });
      expect(verdict.because).toContain('slower than 0.');
    }
  });

  it('a release as fast as stable is promoted by all three checks', () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const state = run(latencyPolls(stableTails, 40, seed), policy);
      expect(judge(state, policy, { now: state.at ?? (0 as never) }).kind).toBe('pass');
    }
  });

  it('is not counted while pods are fresh, and then not stale but warming up', () => {
    const polls = latencyPolls(slowerTails, 30, 1).map((poll) => ({ ...poll, warming: true }));
    const state = run(polls, policy);
    expect(state.checks.latency?.polls).toBe(0);
    expect(state.rejected).toBeNull();
    const verdict = judge(state, policy, { now: state.at ?? (0 as never), warming: true });
    expect(verdict).toMatchObject({ kind: 'inconclusive', reason: 'warming-up' });
  });

  it('is not counted in the first poll of a weight', () => {
    expect(run(latencyPolls(slowerTails, 1, 1), policy).checks.latency?.polls).toBe(0);
    expect(run(latencyPolls(slowerTails, 2, 1), policy).checks.latency?.polls).toBe(1);
  });

  it('refuses counts that do not fit its bounds', () => {
    const [first, second] = latencyPolls(stableTails, 2, 1) as [Poll, Poll];
    const short = { ...second, checks: { ...second.checks, latency: [counts(1, 0, 1, 0)] } };
    expect(() => run([first, short], policy)).toThrow('bounds of latency');
  });
});

describe('shares of the money', () => {
  it('are renormalised over the checks that act', () => {
    const dry = { ...restartsCheck, dryRun: true };
    expect(checkShares([errorsCheck])).toEqual([1]);
    const latency = { ...latencyCheck, bounds };
    expect(checkShares([errorsCheck, latency, dry])).toEqual([2 / 3, 1 / 3, 0]);
    expect(checkShares([dry])).toEqual([0]);
    expect(checkShares([errorsCheck, { ...latencyCheck, bounds: [] }])).toEqual([1, 0]);
  });
});

describe('a histogram without a usable bound', () => {
  it('neither costs money nor holds a promotion', () => {
    const idle = { ...defaultPolicy, checks: [errorsCheck, { ...latencyCheck, bounds: [] }] };
    const polls = Array.from({ length: 40 }, (_, k) => errorsPoll(k, counts(10, 0, 990, 0)));
    const state = run(polls, idle);
    expect(judge(state, idle, { now: state.at ?? (0 as never) }).kind).toBe('pass');
  });
});

describe('restarts', () => {
  const withRestarts = { ...defaultPolicy, checks: [errorsCheck, restartsCheck] };
  const polls = (every: number) =>
    Array.from({ length: 900 }, (_, k) =>
      errorsPoll(k, counts(10, 0, 90, 0), {
        weight: weight(10),
        checks: {
          errors: [counts(10, 0, 90, 0)],
          // Two canary pods, eight stable ones, one second each.
          restarts: [counts(2, k % every === every - 1 ? 1 : 0, 8, 0)],
        },
      }),
    );

  it('a canary that restarts every two minutes is rejected, one restart is not', () => {
    expect(run(polls(120), withRestarts).rejected).toMatchObject({ check: 'restarts' });
    expect(run(polls(800), withRestarts).rejected).toBeNull();
  });
});

describe('a dry-run check', () => {
  const shown = { ...errorsCheck, name: 'shown', dryRun: true };
  const policy = { ...defaultPolicy, checks: [shown, errorsCheck] };
  const polls = (own: Poll['checks']) =>
    Array.from({ length: 120 }, (_, k) => errorsPoll(k, counts(10, 0, 990, 0), { checks: own }));

  it('that sees every canary request fail neither rejects nor holds', () => {
    const acting = [counts(10, 0, 990, 0)];
    const state = run(polls({ shown: [counts(10, 10, 990, 0)], errors: acting }), policy);
    expect(state.rejected).toBeNull();
    expect(state.limit.agreeing).toBe(0);
    const verdict = judge(state, policy, { now: state.at ?? (0 as never) });
    expect(verdict.kind).toBe('pass');
    expect(verdict).toMatchObject({ exposedRequests: 1200, failedRequests: 0 });
    expect(verdict.checks[0]).toMatchObject({ dryRun: true, adds: 0 });
    expect(verdict.checks[0]?.evidence).toBeGreaterThan(100);
  });

  it('that sees stable fail makes no outage, and its requests are no failures', () => {
    const state = run(polls({ shown: [counts(10, 10, 990, 990)] }), {
      ...policy,
      checks: [shown],
    });
    const verdict = judge(state, { ...policy, checks: [shown] }, { now: state.at ?? (0 as never) });
    expect(verdict).toMatchObject({ kind: 'inconclusive', reason: 'not-enough-evidence' });
    expect(state.recent.nc).toBeGreaterThan(0);
    expect(state.recent.xs).toBe(0);
  });
});

describe('a check without an answer', () => {
  const policyWith = (onEmpty: 'hold' | 'ignore') => ({
    ...defaultPolicy,
    checks: [errorsCheck, { ...errorsCheck, name: 'other', onEmpty }],
  });
  const polls = (other: Poll['checks'], length = 60) =>
    Array.from({ length }, (_, k) =>
      errorsPoll(k, counts(10, 0, 990, 0), {
        checks: { errors: [counts(10, 0, 990, 0)], ...other },
      }),
    );
  const judged = (onEmpty: 'hold' | 'ignore', all: readonly Poll[]) => {
    const policy = policyWith(onEmpty);
    const state = run(all, policy);
    return judge(state, policy, { now: state.at ?? (0 as never) });
  };

  it('holds, or is done without, as its owner wants', () => {
    expect(judged('hold', polls({}))).toMatchObject({
      reason: 'partial-data',
      because: 'check other has no fresh answer',
    });
    expect(judged('ignore', polls({})).kind).toBe('pass');
  });

  it('that is done without counts as soon as it answers', () => {
    const few = polls({ other: [counts(1, 0, 9, 0)] }, 15);
    expect(judged('ignore', few)).toMatchObject({ reason: 'not-enough-evidence' });
    const bad = polls({ other: [counts(10, 10, 990, 0)] });
    expect(judged('ignore', bad)).toMatchObject({ kind: 'fail', check: 'other' });
  });
});
