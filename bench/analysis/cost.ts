import { advance } from '../../src/analysis/advance.ts';
import { beginEvidence } from '../../src/analysis/evidence.ts';
import { judge } from '../../src/analysis/judge.ts';
import { packEvidence } from '../../src/analysis/packing.ts';
import {
  type AnalysisPolicy,
  defaultPolicy,
  errorsCheck,
  latencyCheck,
  latencyObjectiveCheck,
} from '../../src/analysis/policy.ts';
import { instant, percent } from '../../src/lib/units.ts';
import { table } from './table.ts';

const bounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

const threeChecks: AnalysisPolicy = {
  ...defaultPolicy,
  checks: [errorsCheck, { ...latencyCheck, bounds }, { ...latencyObjectiveCheck, bounds: [0.5] }],
};

/** Microseconds of one poll and judgement, milliseconds for 200 canaries, bytes of the state. */
export function costTable(polls = 20_000): string {
  const policies = { errors: defaultPolicy, 'errors, latency, objective': threeChecks };
  const rows = Object.entries(policies).map(([name, policy]) => {
    let state = beginEvidence(policy);
    let [advancing, judging] = [0, 0];
    for (let k = 0; k < polls; k += 1) {
      const poll = pollOf(k, policy);
      const before = performance.now();
      state = advance(state, poll, policy);
      const between = performance.now();
      judge(state, policy, { now: poll.at });
      advancing += between - before;
      judging += performance.now() - between;
    }
    const each = (advancing + judging) / polls;
    return [
      name,
      ((advancing / polls) * 1000).toFixed(1),
      ((judging / polls) * 1000).toFixed(1),
      (each * 200).toFixed(1),
      JSON.stringify(packEvidence(state)).length,
    ];
  });
  return table(['checks', 'advance µs', 'judge µs', '200 canaries ms', 'stored bytes'], rows);
}

function pollOf(k: number, policy: AnalysisPolicy) {
  const counts = (xc: number, xs: number) => ({ nc: 2, xc, ns: 198, xs });
  const latency = bounds.map((_, i) => counts((k + i) % 3 === 0 ? 1 : 0, 60 - i * 7));
  const errors = [counts(k % 100 === 0 ? 1 : 0, k % 7 === 0 ? 1 : 0)];
  return {
    since: instant(k * 1000),
    at: instant((k + 1) * 1000),
    weight: percent(1),
    step: Math.floor(k / 60),
    next: percent(5),
    checks:
      policy.checks.length === 1
        ? { errors }
        : { errors, latency, 'latency-objective': [counts(0, k % 3)] },
  };
}
