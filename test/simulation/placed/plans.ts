import type { Places } from '../swarm/injector.ts';
import type { Fault, Plan } from '../swarm/plan.ts';
import { runPlan } from '../swarm/run.ts';
import type { Workload } from './workloads.ts';

// One fault at one place at a time, at every place that a run without faults goes through. Source:
// Sun et al., Automatic Reliability Testing for Cluster Management Controllers, OSDI 2022.

/** Long enough for what is late to meet its opposite: a cut, a new canary, the end of a rollout. */
const late = 9000;
/** Within the time that the route's propagation is waited for. */
const soon = 1500;
/** Longer than a term: the other process takes over, and the old leader wakes to a surprise. */
const stalled = 30_000;

const atWrite = (nth: number): readonly Fault[] => [
  { kind: 'crash', write: nth, moment: 'before' },
  { kind: 'crash', write: nth, moment: 'after' },
  { kind: 'write', nth, fault: { kind: 'lose-request' } },
  { kind: 'write', nth, fault: { kind: 'lose-answer' } },
  { kind: 'write', nth, fault: { kind: 'slow-request', millis: late } },
  { kind: 'write', nth, fault: { kind: 'answer', status: 409 } },
  { kind: 'write', nth, fault: { kind: 'answer', status: 429, retryAfterSeconds: 2 } },
  { kind: 'write', nth, fault: { kind: 'answer', status: 503 } },
];

const atList = (nth: number): readonly Fault[] => [
  { kind: 'read', nth, fault: { kind: 'stale', age: 5 } },
  { kind: 'read', nth, fault: { kind: 'stale', age: 25 } },
  { kind: 'read', nth, fault: { kind: 'answer', status: 503 } },
];

/** What was looked at before a write is not so any more when the answer comes. */
const atLook = (nth: number): readonly Fault[] => [
  { kind: 'read', nth, fault: { kind: 'slow-answer', millis: soon } },
  { kind: 'read', nth, fault: { kind: 'slow-answer', millis: late } },
  { kind: 'read', nth, fault: { kind: 'answer', status: 503 } },
];

const atEvent = (nth: number): readonly Fault[] => [
  { kind: 'event', nth, fault: { kind: 'drop' } },
  { kind: 'event', nth, fault: { kind: 'duplicate' } },
  { kind: 'event', nth, fault: { kind: 'delay', millis: soon } },
  { kind: 'event', nth, fault: { kind: 'delay', millis: late } },
  { kind: 'event', nth, fault: { kind: 'reorder', millis: soon } },
  { kind: 'event', nth, fault: { kind: 'gone' } },
];

/** With a second process, which takes over. */
const atStall = (from: number): Fault => ({
  kind: 'stall',
  process: 0,
  span: { from, to: from + stalled },
});

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** Every plan of one workload, by the places that its undisturbed run goes through. */
export async function plansOf({ name, ...story }: Workload): Promise<readonly Plan[]> {
  const calm = await runPlan({ ...story, faults: [] });
  if (calm.violations.length > 0) throw new Error(`${name}: ${calm.violations.join('; ')}`);
  const { counts, writtenAt, lists }: Places = calm.places;
  const faults = [
    ...numbers(counts.write).flatMap(atWrite),
    ...numbers(counts.read).flatMap((nth) => (lists.includes(nth) ? atList(nth) : atLook(nth))),
    ...numbers(counts.event).flatMap(atEvent),
  ];
  const placed = faults.map((fault): Plan => ({ ...story, faults: [fault] }));
  const times = [...new Set(writtenAt)];
  const stalls = times.map(
    (at): Plan => ({ ...story, processes: 2, faults: [atStall(Math.max(0, at - 1))] }),
  );
  return [...placed, ...stalls];
}
