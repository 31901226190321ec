import { describe, expect, it } from 'vitest';
import { advance } from '../../../src/analysis/advance.ts';
import type { PodGauges, Poll } from '../../../src/analysis/counts.ts';
import { beginEvidence, type EvidenceState } from '../../../src/analysis/evidence.ts';
import { lookAt, strayRate } from '../../../src/analysis/gauge.ts';
import { judge } from '../../../src/analysis/judge.ts';
import {
  type AnalysisPolicy,
  defaultPolicy,
  errorsCheck,
  type GaugePolicy,
  gaugeCheck,
} from '../../../src/analysis/policy.ts';
import { normal } from '../../../src/analysis/variates.ts';
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import { instant, seconds } from '../../../src/lib/units.ts';
import { counts, errorsPoll, run, weight } from './polls.ts';

const gauge: GaugePolicy = {
  worseWhen: 'higher',
  ratio: 1.25,
  slack: 10,
  spacing: seconds(30),
};

describe('one look', () => {
  it.each<[what: string, arms: PodGauges, xc: number]>([
    ['within the tolerance of the largest', { canary: [134], stable: [90, 100] }, 0],
    ['beyond it', { canary: [136], stable: [90, 100] }, 1],
    ['half of the canary beyond it', { canary: [136, 100], stable: [90, 100] }, 1],
    ['one pod of three beyond it', { canary: [900, 100, 100], stable: [90, 100] }, 0],
    ['one stable pod', { canary: [136], stable: [100] }, 1],
  ])('%s', (_what, arms, xc) => {
    expect(lookAt(arms, gauge)).toMatchObject({ nc: 1, xc });
  });

  it('lower is worse where the check says so', () => {
    const lower: GaugePolicy = { ...gauge, worseWhen: 'lower', slack: 0 };
    expect(lookAt({ canary: [81], stable: [100, 120] }, lower)).toMatchObject({ xc: 0 });
    expect(lookAt({ canary: [79], stable: [100, 120] }, lower)).toMatchObject({ xc: 1 });
  });

  it('the tolerance of a negative value is a tolerance', () => {
    const plain: GaugePolicy = { ...gauge, slack: 0 };
    expect(lookAt({ canary: [-80], stable: [-100] }, plain)).toMatchObject({ xc: 0 });
    const lower: GaugePolicy = { ...plain, worseWhen: 'lower' };
    expect(lookAt({ canary: [-110], stable: [-100] }, lower)).toMatchObject({ xc: 0 });
    expect(lookAt({ canary: [-130], stable: [-100] }, lower)).toMatchObject({ xc: 1 });
  });

  it('counts the stable pods that lie beyond the others', () => {
    expect(lookAt({ canary: [1], stable: [100, 90, 1000] }, gauge)).toEqual(counts(1, 0, 3, 1));
    expect(lookAt({ canary: [1], stable: [100] }, gauge)).toEqual(counts(1, 0, 0, 0));
    expect(strayRate([[100, 90, 1000], [100, 90], [7]], gauge)).toBe(1 / 5);
    expect(strayRate([[7], []], gauge)).toBeUndefined();
  });

  it('says nothing without pods of both', () => {
    expect(lookAt({ canary: [1], stable: [] }, gauge)).toBeUndefined();
    expect(lookAt({ canary: [], stable: [1] }, gauge)).toBeUndefined();
  });
});

const memory = { ...gaugeCheck, name: 'memory' };
const withErrors: AnalysisPolicy = { ...defaultPolicy, checks: [errorsCheck, memory] };

/** Polls of a second for a quarter of an hour, nothing fails; the canary's memory by the second. */
const polls = (canary: (second: number) => number, change: Partial<Poll> = {}) =>
  Array.from({ length: 900 }, (_, k) =>
    errorsPoll(k, counts(10, 0, 90, 0), {
      weight: weight(10),
      next: weight(100),
      checks: {
        errors: [counts(10, 0, 90, 0)],
        memory: { canary: [canary(k)], stable: [100, 110, 95] },
      },
      ...change,
    }),
  );
const secondsUntil = ({ rejected, startedAt }: EvidenceState): number =>
  ((rejected?.at ?? Number.NaN) - (startedAt ?? Number.NaN)) / 1000;

describe('beside an error check', () => {
  it('a canary that answers well and leaks is rejected minutes after it passes the line', () => {
    // The line, 1.25 × 110, is passed after 250 s at the earliest look of 270 s.
    const state = run(
      polls((second) => 75 + second / 4),
      withErrors,
    );
    expect(state.rejected).toMatchObject({ check: 'memory', cause: 'worse' });
    expect(secondsUntil(state)).toBeGreaterThan(300);
    expect(secondsUntil(state)).toBeLessThan(250 + 330);
    const verdict = judge(state, withErrors, { now: state.at ?? instant(0) });
    expect(verdict).toMatchObject({ kind: 'fail', check: 'memory' });
    expect(verdict.because).toMatch(
      /^memory: the canary's pods were above 1.25 × stable's largest in \d+ of \d+ looks; evidence/,
    );
  });

  it('is looked at every 30 s, and steady memory is no evidence', () => {
    const state = run(
      polls(() => 130),
      withErrors,
    );
    expect(state.checks['memory']?.polls).toBe(30);
    expect(state.rejected).toBeNull();
  });

  it('a fresh canary is not looked at', () => {
    const state = run(
      polls(() => 1000, { warming: true }),
      withErrors,
    );
    expect(state.checks['memory']?.polls).toBe(0);
    expect(state.rejected).toBeNull();
    const verdict = judge(state, withErrors, { now: state.at ?? instant(0), warming: true });
    expect(verdict).toMatchObject({
      reason: 'warming-up',
      because: 'memory is not judged while canary pods are fresh',
    });
  });

  it('the last step waits for looks, and says for how long', () => {
    const early = run(polls(() => 100).slice(0, 90), withErrors);
    const verdict = judge(early, withErrors, { now: early.at ?? instant(0) });
    expect(verdict).toMatchObject({ kind: 'inconclusive', reason: 'not-enough-evidence' });
    const left = verdict.kind === 'inconclusive' ? (verdict.secondsNeeded ?? 0) : 0;
    expect(left).toBeGreaterThan(60);
    const late = run(polls(() => 100).slice(0, 90 + left + 30), withErrors);
    expect(judge(late, withErrors, { now: late.at ?? instant(0) }).kind).toBe('pass');
  });

  it('needs three looks, however many failed requests the profile asks for', () => {
    const patient = { ...withErrors, leastBad: 1000 };
    expect(
      run(
        polls(() => 1000),
        patient,
      ).rejected,
    ).toMatchObject({ check: 'memory' });
  });

  it('needs its own kind of answer', () => {
    const wrong = errorsPoll(0, counts(1, 0, 9, 0), {
      checks: { errors: { canary: [1], stable: [1] } },
    });
    expect(() => advance(beginEvidence(withErrors), wrong, withErrors)).toThrow('no gauge');
  });
});

/** All the money is on the gauge: the hardest case for its promise. */
const alone: AnalysisPolicy = { ...defaultPolicy, checks: [memory] };

interface Service {
  readonly stable: number;
  readonly canary: number;
  /** Values of that many pods for one rollout, by the second: asked every 5 s, in order. */
  readonly pods: (count: number, random: Random) => (second: number) => readonly number[];
}

/** As the source gives them: the least of each canary pod and the most of each stable one. */
function spanned(samples: readonly (readonly number[])[], canary: number): PodGauges {
  const [first = []] = samples;
  const ofPod = (pod: number) => samples.map((values) => values[pod] ?? Number.NaN);
  const pods = first.map((_value, pod) => ofPod(pod));
  return {
    canary: pods.slice(0, canary).map((values) => Math.min(...values)),
    stable: pods.slice(canary).map((values) => Math.max(...values)),
  };
}

/** Share of rollouts of an hour, all pods of one kind, that are rejected. */
function falseAlarms(
  { stable, canary, pods }: Service,
  runs: number,
  { stray, window = 30 }: { readonly stray?: number; readonly window?: number } = {},
): number {
  const policy = {
    ...alone,
    checks: [{ ...memory, gauge: { ...gauge, slack: 0, spacing: seconds(window) } }],
  };
  let rejected = 0;
  for (let seed = 1; seed <= runs; seed += 1) {
    const at = pods(stable + canary, seededRandom(seed));
    let state = beginEvidence(policy);
    for (let look = 0; look < 3600 / window && state.rejected === null; look += 1) {
      const samples = Array.from({ length: window / 5 }, (_, i) => at(window * look + 5 * i));
      const poll = errorsPoll(look, counts(0, 0, 0, 0), {
        seconds: window,
        weight: weight(10),
        checks: { memory: spanned(samples, canary) },
        ...(stray === undefined ? {} : { priors: { memory: { badRates: [stray] } } }),
      });
      state = advance(state, poll, policy);
    }
    if (state.rejected !== null) rejected += 1;
  }
  return rejected / runs;
}

/** One look in so many is bad, whatever came before. */
const chance =
  (rate: number): Service['pods'] =>
  (_count, random) => {
    let [look, bad] = [-1, false];
    return (second) => {
      if (Math.floor(second / 30) !== look) bad = random() < rate;
      look = Math.floor(second / 30);
      return [bad ? 200 : 100, 100, 100];
    };
  };

/** Heaps that grow from 40 to 100 until they are swept, each from its own moment on. */
const sawtooth =
  (period: number): Service['pods'] =>
  (count, random) => {
    const phases = Array.from({ length: count }, () => random() * period);
    return (second) => phases.map((phase) => 40 + (60 * ((second + phase) % period)) / period);
  };

/** Pods that differ for as long as they live, and drift with a memory of five minutes. */
const drifting: Service['pods'] = (count, random) => {
  const own = Array.from({ length: count }, () => 100 + 8 * normal(random));
  const drift = own.map(() => 5 * normal(random));
  const keep = Math.exp(-5 / 300);
  return () =>
    own.map((level, i) => {
      const moved = keep * (drift[i] ?? 0) + 5 * Math.sqrt(1 - keep * keep) * normal(random);
      drift[i] = moved;
      return level + moved;
    });
};

describe('the promise: at most 1 % of healthy rollouts of an hour, all money on the gauge', () => {
  it('looks that are bad as often as is tolerated, 25 %', () => {
    const service = { stable: 2, canary: 1, pods: chance(0.25) };
    expect(falseAlarms(service, 1500)).toBeLessThanOrEqual(0.01);
  });

  it.each([
    { stable: 2, canary: 1 },
    { stable: 3, canary: 1 },
    { stable: 10, canary: 2 },
  ])('$canary canary pod(s) of $stable that differ for good, and drift', (arms) => {
    expect(falseAlarms({ ...arms, pods: drifting }, 500)).toBeLessThanOrEqual(0.01);
  });

  it.each([20, 60, 120, 300])('heaps swept every %i s, 2 stable pods', (period) => {
    const service = { stable: 2, canary: 1, pods: sawtooth(period) };
    expect(falseAlarms(service, 300)).toBeLessThanOrEqual(0.01);
  });

  it('heaps swept more rarely need a longer window, or a higher tolerance', () => {
    const service = { stable: 2, canary: 1, pods: sawtooth(900) };
    expect(falseAlarms(service, 200)).toBeGreaterThan(0.05);
    expect(falseAlarms(service, 200, { window: 120 })).toBeLessThanOrEqual(0.01);
  });

  it('what stable did before is tolerated of the canary', () => {
    const service = { stable: 2, canary: 1, pods: chance(0.5) };
    expect(falseAlarms(service, 200)).toBeGreaterThan(0.5);
    expect(falseAlarms(service, 200, { stray: 0.25 })).toBeLessThanOrEqual(0.01);
  });
});
