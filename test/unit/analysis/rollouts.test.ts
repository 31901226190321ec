import { describe, expect, it } from 'vitest';
import type { Poll } from '../../../src/analysis/counts.ts';
import { flinchAdvice } from '../../../src/analysis/flinch.ts';
import { type PollHistory, remember } from '../../../src/analysis/history.ts';
import { defaultSteps, planRollout } from '../../../src/analysis/plan.ts';
import { defaultPolicy, errorsCheck } from '../../../src/analysis/policy.ts';
import { replayPolls } from '../../../src/analysis/replay.ts';
import { parseReplay } from '../../../src/analysis/replay-text.ts';
import { sickPod, sickPodWords } from '../../../src/analysis/sick-pod.ts';
import { simulateRollout } from '../../../src/analysis/simulate.ts';
import { totalWealth } from '../../../src/analysis/total.ts';
import { binomial } from '../../../src/analysis/variates.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { percent } from '../../../src/lib/units.ts';
import golden from './fixtures/golden.json' with { type: 'json' };
import { counts, errorsPoll, run, weight } from './polls.ts';

describe('flinch', () => {
  const bad = (length: number) =>
    Array.from({ length }, (_, k) =>
      errorsPoll(k, counts(25, k < 5 ? 0 : 12, 75, 0), { weight: weight(25), next: weight(50) }),
    );

  it('lowers to about one canary request a second before it would reject', () => {
    const states = bad(20).map((_, k) => run(bad(k + 1)));
    const flinched = states.findIndex(
      (s) => flinchAdvice(s, defaultPolicy, percent(25)) !== undefined,
    );
    const rejected = states.findIndex((s) => s.rejected !== null);
    expect(flinched).toBeGreaterThan(0);
    expect(flinched).toBeLessThan(rejected);
    const advice = flinchAdvice(
      states[flinched] ?? states[0] ?? run([]),
      defaultPolicy,
      percent(25),
    );
    expect(advice).toMatchObject({ kind: 'lower', to: 1 });
  });

  it('lowers at the first poll that is very unlikely by itself', () => {
    const onset = (bad: number) =>
      Array.from({ length: 61 }, (_, k) =>
        errorsPoll(k, counts(100, k === 60 ? bad : 0, 1900, 1), {
          weight: weight(5),
          next: weight(10),
          priors: { errors: { badRates: [0.0005], dispersion: 1 } },
        }),
      );
    const sudden = run(onset(8));
    expect(totalWealth(sudden, defaultPolicy).wealth).toBeLessThan(10);
    const advice = flinchAdvice(sudden, defaultPolicy, percent(5));
    expect(advice).toMatchObject({ kind: 'lower', to: 1 });
    expect(flinchAdvice(run(onset(2)), defaultPolicy, percent(5))).toBeUndefined();
  });

  it.each([
    ['errors are known to come alone', 5, 0, { dispersion: 1.1, history: 3_600_000 }, true],
    ['that is not known', 5, 0, { dispersion: 1.1, history: 60_000 }, false],
    ['errors come in bursts', 5, 0, { dispersion: 2, history: 3_600_000 }, false],
    ['stable fails as often', 5, 12, { dispersion: 1.1, history: 3_600_000 }, false],
    ['fewer fail', 2, 0, { dispersion: 1.1, history: 3_600_000 }, false],
  ])('takes stable at its word where %s', (_, bad, stableBad, known, lowered) => {
    const polls = Array.from({ length: 31 }, (__, k) => {
      const onset = k === 30 ? counts(25, bad, 75, stableBad) : counts(25, 0, 75, 0);
      const priors = { errors: { badRates: [0.001], ...known } };
      return errorsPoll(k, onset, { weight: weight(25), next: weight(50), priors });
    });
    const advice = flinchAdvice(run(polls), defaultPolicy, percent(25));
    expect(advice?.kind).toBe(lowered ? 'lower' : undefined);
    expect(run(polls).rejected).toBeNull();
  });

  it('stays where the canary gets less than a request a second, and when it is off', () => {
    const polls = [0, 1, 2, 3].map((k) =>
      errorsPoll(k, counts(1, 1, 9, 0), { weight: weight(10) }),
    );
    const state = run(polls.slice(0, 2));
    expect(flinchAdvice(state, defaultPolicy, percent(10))).toBeUndefined();
    const off = { ...defaultPolicy, flinch: { ...defaultPolicy.flinch, on: false } };
    expect(flinchAdvice(run(bad(7)), off, percent(25))).toBeUndefined();
  });

  it('returns when the money is gone', () => {
    const fine = Array.from({ length: 2000 }, (_, k) =>
      errorsPoll(k, counts(1, 0, 99, 0), { weight: weight(1) }),
    );
    expect(flinchAdvice(run(fine), defaultPolicy, percent(25))).toMatchObject({ kind: 'return' });
    expect(flinchAdvice(run(fine.slice(0, 1)), defaultPolicy, percent(25))).toBeUndefined();
  });
});

describe('one sick pod', () => {
  const podPolls = (rates: readonly number[], seed: number): Poll[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 60 }, (_, k) => {
      const pods = Object.fromEntries(
        rates.map((rate, i) => [`pod-${i}`, { requests: 4, bad: binomial(4, rate, random) }]),
      );
      const all = Object.values(pods);
      const nc = all.reduce((sum, { requests }) => sum + requests, 0);
      const xc = all.reduce((sum, { bad }) => sum + bad, 0);
      return errorsPoll(k, counts(nc, xc, 100 - nc, binomial(100 - nc, 0.001, random)), {
        weight: weight(nc),
        pods: { errors: pods },
      });
    });
  };

  it('is named when the others hold no evidence', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const polls = podPolls([0.001, 0.5, 0.001, 0.001], seed);
      expect(run(polls).rejected).not.toBeNull();
      expect(sickPod(polls, 'errors', defaultPolicy)?.pod).toBe('pod-1');
    }
  });

  it('is not named when the release is bad, or too few pods tell them apart', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      expect(
        sickPod(podPolls([0.1, 0.1, 0.1, 0.1], seed), 'errors', defaultPolicy),
      ).toBeUndefined();
      expect(sickPod(podPolls([0.001, 0.5], seed), 'errors', defaultPolicy)).toBeUndefined();
    }
  });
});

describe('one sick pod, early on', () => {
  /** Polls of three pods; what each answers in every poll. */
  const polls = (each: readonly (readonly [requests: number, bad: number])[], length: number) =>
    Array.from({ length }, (_, k): Poll => {
      const pods = Object.fromEntries(
        each.map(([requests, bad], i) => [`pod-${i}`, { requests, bad }]),
      );
      const nc = each.reduce((sum, [requests]) => sum + requests, 0);
      const xc = each.reduce((sum, [, bad]) => sum + bad, 0);
      return errorsPoll(k, counts(nc, xc, 90, 0), { weight: weight(10), pods: { errors: pods } });
    });

  it('is not named before the others have answered enough to tell', () => {
    const three = (length: number) =>
      polls(
        [
          [1, 1],
          [1, 0],
          [0, 0],
        ],
        length,
      );
    expect(sickPod(three(4), 'errors', defaultPolicy)).toBeUndefined();
    const enough = polls(
      [
        [1, 1],
        [1, 0],
        [1, 0],
      ],
      3,
    );
    expect(sickPod(enough, 'errors', defaultPolicy)).toEqual({
      pod: 'pod-0',
      own: { requests: 3, bad: 3 },
      others: { requests: 6, bad: 0 },
    });
  });

  it('is told with its numbers', () => {
    const found = sickPod(
      polls(
        [
          [4, 2],
          [10, 0],
          [60, 0],
        ],
        3,
      ),
      'errors',
      defaultPolicy,
    );
    expect(found === undefined ? '' : sickPodWords(found)).toBe(
      'pod pod-0 fails alone: 6 of its 12 requests, none of 210 of the others',
    );
  });

  it('belongs to the check that counts pods, and to no other', () => {
    const some = polls(
      [
        [4, 2],
        [10, 0],
        [60, 0],
      ],
      3,
    );
    expect(sickPod(some, 'other', defaultPolicy)).toBeUndefined();
  });
});

describe('replay', () => {
  const polls = Array.from({ length: 40 }, (_, k) =>
    errorsPoll(k, counts(10, k > 10 ? 2 : 0, 190, 0), { weight: weight(5), next: weight(10) }),
  );
  let history: PollHistory = [];
  polls.forEach((poll, k) => {
    history = remember(history, poll, run(polls.slice(0, k + 1)), defaultPolicy);
  });

  it('gives what happened, number by number, from an export', () => {
    const text = JSON.stringify({ polls: history });
    const parsed = parseReplay(text);
    if ('problems' in parsed) throw new Error(parsed.problems.join());
    expect(parsed.recorded).toHaveLength(40);
    const result = replayPolls({ ...parsed, policy: defaultPolicy });
    expect(result.firstDifference).toBeUndefined();
    expect(result.verdict.kind).toBe('fail');
    expect(result.rejectedAt).toBe(run(polls).rejected?.at);
  });

  it('tells where it differs, e.g. under another policy', () => {
    const recorded = history.map(({ lnE }) => lnE);
    const policy = {
      ...defaultPolicy,
      limit: { rate: 0.5, alpha: 0.001 },
      checks: [{ ...errorsCheck, worse: { rho: 2, delta: 0.3 } }],
    };
    const result = replayPolls({ polls, policy, recorded });
    expect(result.firstDifference).toBe(0);
    expect(result.verdict.kind).not.toBe('fail');
  });

  it.each(golden.rollback.map((entry, i) => [i, entry] as const))(
    'reads golden sequence %i, with and without its odds and results',
    (_, entry) => {
      const bare = {
        ...entry,
        polls: entry.polls.map(({ weight: w, newStep, counts: one }) => ({
          weight: w,
          newStep,
          counts: one,
        })),
      };
      for (const one of [entry, bare]) {
        const parsed = parseReplay(JSON.stringify(one));
        if ('problems' in parsed) throw new Error(parsed.problems.join());
        const result = replayPolls({ ...parsed, policy: defaultPolicy });
        expect(result.firstDifference).toBeUndefined();
        result.polls.forEach(({ lnE, kappa }, k) => {
          expect(lnE).toBeCloseTo(entry.polls[k]?.lnE ?? Number.NaN, 9);
          expect(kappa).toBeCloseTo(entry.polls[k]?.kappa ?? Number.NaN, 12);
        });
      }
    },
  );

  it('takes times of a sequence from t, and tells a recording that differs', () => {
    const sequence = {
      polls: [1, 2, 3].map((t) => ({ t, weight: 0.05, counts: counts(5, 1, 95, 0), lnE: 0 })),
    };
    const parsed = parseReplay(JSON.stringify(sequence));
    if ('problems' in parsed) throw new Error(parsed.problems.join());
    expect(parsed.polls.map(({ since, at }) => [since, at])).toEqual([
      [0, 1000],
      [1000, 2000],
      [2000, 3000],
    ]);
    expect(replayPolls({ ...parsed, policy: defaultPolicy }).firstDifference).toBe(0);
  });

  it('reads CSV by short names, 5 s apart', () => {
    const parsed = parseReplay('nc,xc,ns,xs\n1,0,9,0\n1,1,9,0\n');
    if ('problems' in parsed) throw new Error(parsed.problems.join());
    expect(parsed.polls.map(({ at, weight: w }) => [at, w])).toEqual([
      [5000, 10],
      [10_000, 10],
    ]);
  });

  it('reads CSV, and the weight from the split', () => {
    const csv = `time,canary_total,canary_bad,stable_total,stable_bad\n${polls
      .map((_, k) => `${k + 1},10,${k > 10 ? 2 : 0},190,0`)
      .join('\n')}\n`;
    const parsed = parseReplay(csv);
    if ('problems' in parsed) throw new Error(parsed.problems.join());
    expect(parsed.polls[0]).toMatchObject({ since: 0, at: 1000, weight: 5 });
    expect(replayPolls({ ...parsed, policy: defaultPolicy }).verdict.kind).toBe('fail');
  });

  it.each([
    ['', ['column canary_total is missing']],
    ['time,canary_total\n', ['column canary_bad is missing']],
    ['time,canary_total,canary_bad,stable_total,stable_bad,foo\n', ['column "foo" is not known']],
    [
      't,nc,xc,ns,xs\n1,1,2,1,0\n2,x,0,1,0\n2026-02-30T00:00:00Z,1,0,1,0\n',
      ['line 2: more bad', 'line 3: canary_total is no number', 'line 4: time is neither'],
    ],
    [
      'time,canary_total,canary_bad,stable_total,stable_bad\n2,1,0,1,0\n1,1,0,1,0\n',
      ['line 3: time is not later'],
    ],
    ['{', ['no JSON']],
    ['{"polls": 1}', ['has no list']],
    ['{"polls": []}', ['is empty']],
    ['{"alpha": -1, "polls": [{"counts": {}}]}', ['alpha is no', 'polls[0]: counts need']],
    [
      '{"polls": [{"weight": 5, "counts": {"nc": 1, "xc": 0, "ns": 1, "xs": 0}}]}',
      ['polls[0]: weight is no ratio'],
    ],
    ['{"polls": [{"since": 1}]}', ['polls[0] is no poll']],
  ])('refuses %j', (text, expected) => {
    const parsed = parseReplay(text);
    const problems = 'problems' in parsed ? parsed.problems : [];
    for (const one of expected) {
      expect(
        problems.some((problem) => problem.includes(one)),
        one,
      ).toBe(true);
    }
  });
});

describe('simulation', () => {
  it('is the same for the same seed', () => {
    const rollout = {
      service: { rps: 100, stableRate: 0.01, canaryRate: 0.03, burst: 3, podVariation: 0.7 },
      steps: [percent(10)],
      interval: 5,
      horizon: 600,
    };
    const once = simulateRollout(rollout, defaultPolicy, seededRandom(5));
    expect(simulateRollout(rollout, defaultPolicy, seededRandom(5))).toEqual(once);
    expect(simulateRollout(rollout, defaultPolicy, seededRandom(6))).not.toEqual(once);
  });

  it('plans a ladder: healthy releases are promoted, bad ones are not', () => {
    const plan = planRollout({ rps: 100, steps: defaultSteps(100), interval: 2, runs: 40 });
    expect(plan.promoted).toBe(1);
    expect(plan.rolledBack).toBe(0);
    expect(plan.totalSeconds.median).toBeGreaterThan(90);
    expect(plan.totalSeconds.median).toBeLessThan(170);
    expect(plan.steps.map(({ next }) => next)).toEqual([5, 10, 25, 50, 100]);
    const disaster = plan.faults.find(({ rate }) => rate === 1);
    expect(disaster?.found).toBe(1);
    expect(disaster?.failedRequests).toBeLessThan(12);
    const [small] = plan.faults;
    expect(small?.promoted).toBe(0);
  });

  it('starts at 10 % below 20 requests a second', () => {
    expect(defaultSteps(9.26)).toEqual([10, 25, 50]);
    expect(defaultSteps(20)[0]).toBe(1);
  });

  it('a healthy release is not rejected in 300 runs of an hour, on the worst routes to it', () => {
    let rejected = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const rollout = {
        service: {
          rps: 50,
          stableRate: 0.01,
          canaryRate: 0.01,
          outage: { from: 300, to: 330, rate: 1 },
        },
        steps: [percent(10)],
        promote: false,
        interval: 10,
        horizon: 3600,
      };
      const { kind } = simulateRollout(rollout, defaultPolicy, seededRandom(seed));
      if (kind === 'rolled-back') rejected += 1;
    }
    expect(rejected).toBe(0);
  });
});
