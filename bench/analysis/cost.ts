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
import { median, table } from './table.ts';

const bounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

const threeChecks: AnalysisPolicy = {
  ...defaultPolicy,
  checks: [errorsCheck, { ...latencyCheck, bounds }, { ...latencyObjectiveCheck, bounds: [0.5] }],
};

const canaries = 200;

/**
 * Microseconds of one poll and of one judgement, milliseconds for 200 canaries, bytes of the state:
 * CPU time of this thread, so that whatever else runs on the machine does not count. As a
 * controller does it: each canary takes a poll, then each is judged, and the states before are
 * forgotten. Least (median) of some runs: a shared machine only ever adds.
 */
export function costTable(rounds = 100): string {
  const policies = { errors: defaultPolicy, 'errors, latency, objective': threeChecks };
  const rows = Object.entries(policies).map(([name, policy]) => {
    const given = Array.from({ length: rounds }, (_, k) => pollOf(k, policy));
    const run = () => {
      const open = beginEvidence(policy);
      let states = Array.from({ length: canaries }, () => open);
      let [advancing, judging] = [0, 0];
      for (const poll of given) {
        advancing += cpuMicros(() => {
          states = states.map((state) => advance(state, poll, policy));
        });
        judging += cpuMicros(() => {
          for (const state of states) judge(state, policy, { now: poll.at });
        });
      }
      return { advancing, judging, state: states[0] ?? open };
    };
    const { state } = run(); // compiles
    const polls = rounds * canaries;
    const perPoll = Array.from({ length: 9 }, () => {
      const { advancing, judging } = run();
      return { advancing: advancing / polls, judging: judging / polls };
    });
    const whole = perPoll.map((one) => ((one.advancing + one.judging) * canaries) / 1000);
    return [
      name,
      leastAndMedian(perPoll.map(({ advancing }) => advancing)),
      leastAndMedian(perPoll.map(({ judging }) => judging)),
      leastAndMedian(whole),
      JSON.stringify(packEvidence(state)).length,
    ];
  });
  return table(['checks', 'advance µs', 'judge µs', '200 canaries ms', 'stored bytes'], rows);
}

const leastAndMedian = (values: readonly number[]): string =>
  `${Math.min(...values).toFixed(1)} (${median(values).toFixed(1)})`;

function cpuMicros(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return user + system;
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
