import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Act, type Fault, type Plan, planOf } from './swarm/plan.ts';
import { reportOf } from './swarm/report.ts';
import { runPlan, tracePlan } from './swarm/run.ts';
import { fewest, shrink } from './swarm/shrink.ts';

// The whole controller under faults that one seed draws, with oracles at every commit. Many more
// seeds: `npm run bench:simulation`.

const seeds = 40;

test(`${seeds} seeds end well, whatever goes wrong`, async () => {
  const injected = new Set<string>();
  const failures: string[] = [];
  for (let seed = 61; seed < 61 + seeds; seed += 1) {
    const plan = planOf(seed);
    const outcome = await runPlan(plan);
    for (const kind of outcome.injected.keys()) injected.add(kind.split(' ')[0] ?? kind);
    if (outcome.violations.length > 0) failures.push(await reportOf(plan, outcome));
  }
  expect(failures.join('\n\n')).toBe('');
  // A fault that never takes place would prove nothing.
  expect([...injected].sort()).toEqual([
    'crash',
    'end-watches',
    'event',
    'expire-watches',
    'lease',
    'no-api',
    'no-gateway',
    'no-route-accept',
    'prometheus',
    'read',
    'slow-gateway',
    'stall',
    'write',
  ]);
}, 300_000);

// Seeds that found something, with the story that they had then; each failed before its cure.
test.each([
  [5224, 1, 9, 'a route write that lands after its time-out names a Service that is gone'],
  [11_000_453, 1, 12, 'a Service of a canary, whose event was lost, is left when all is over'],
  [11_000_847, 0, 19, 'a canary Service that the watch has lost is read when it cannot be created'],
  [11_001_213, 1, 6, 'a canary Service is created after its rollout was superseded'],
  [6_000_640, 2, 14, 'a leader that has not heard of the record of a raise takes it for a hand'],
  [11_002_754, 1, 9, 'an opt-out comes between a rejection and its notice'],
  [11_000_142, 2, 9, 'a raise lands after its time-out, when a person has paused the rollout'],
  [11_000_861, 0, 13, 'the source is away when it is asked what latency was like before'],
  [12_010_475, 0, 20, 'a canary is withdrawn because one stale list lacks it'],
  [42_000_706, 1, 6, 'an adoption lands after its time-out, when a person has opted out'],
  [41_000_975, 2, 7, 'scaled down and up while a process stalls: the canary keeps its pods'],
  [31_000_782, 3, 1, 'a pause for a hand that took a first raise off is cut in two by its fence'],
  [42_000_458, 0, 7, 'a stale list shows the route as before its raise, as if by a hand'],
  [20102, 2, 3, 'a raise after an outage of the API server is sized for what the Deployment was'],
  [92_003_664, 4, 7, 'a hand has raised it to the step that is recorded next'],
  [92_005_337, 3, 8, 'a hand raises what was cut while its rejection is being recorded'],
  [90_005_289, 0, 16, 'a stale list lacks the ReplicaSet that serves'],
  [90_001_365, 0, 20, 'a stale list shows the route as before the mark of a cut of ours'],
  [486_939_463, 1, 8, 'a stale list shows an earlier canary in the place of the one that serves'],
  [2_036_352_799, 1, 13, 'and the earlier one was rejected'],
  [486_936_865, 1, 19, 'a raise lands when its Deployment is gone'],
  [486_937_032, 1, 12, 'a hand raises what is rejected while nobody is there to undo it'],
  [486_939_386, 2, 3, 'a hand comes between the record of a promotion and its raise'],
  [2_095_864_876, 1, 20, 'a stale list of Deployments denies a rejection that is under way'],
  [2_095_874_259, 2, 10, 'an autoscaler wants more pods while an adoption is under way'],
  [11_559, 2, 7, 'an autoscaler wants more pods while a raise is under way'],
  [610_005_703, 20, 20, 'a hand lowers one rule after a raise, and somebody promotes'],
  [600_005_718, 3, 20, 'an autoscaler wants more pods as soon as a raise has looked'],
  [17_562, 1, 17, 'the template goes back while the route is looked at before an adoption'],
  [920_001_959, 20, 20, 'and the watch tells of it before the route is answered for'],
  [800_000_218, 1, 6, 'a list that goes back shows the canary that was rejected before'],
  [596_494_564, 1, 9, 'an opt-out comes between a cut for a rejection and its answer'],
  [596_489_631, 3, 3, 'a hand lowers a first raise to nothing while nobody is there'],
  [2_036_338_231, 2, 7, 'a stale list makes us withdraw what a hand has lowered'],
  [810_003_248, 9, 6, 'a hand makes a raise that is recorded, and we hear of it late'],
  [1_833_531_573, 5, 18, 'two raises are recorded in the same millisecond'],
  [1_704_510_554, 20, 20, 'the gateway takes a route again, and its event is lost'],
  [1_704_507_364, 20, 20, 'a hand lowers the weight in the moment of an adoption'],
  [625_739_947, 20, 20, 'a hand raises a canary from nothing while a rollback is asked for'],
  [2_015_444_439, 20, 20, 'in a pause before the first step a hand raises a broken canary'],
  [2_015_461_984, 20, 20, 'a hand raises a canary that a late write has listed after its end'],
  [930_003_211, 20, 20, 'a good release comes after a broken one was promoted'],
  [80_000_573, 2, 10, 'a hand lowers what a hand has raised, and it is still too much'],
  [920_013_103, 20, 20, 'a hand takes its own lowering back before anybody is there to see it'],
  [950_000_146, 0, 9, 'a template changes while a pass waits for an answer'],
  [1_485_288_179, 20, 20, 'what a hand has raised stays so in a long pause'],
  [950_012_972, 20, 20, 'the end of a canary is told by no event'],
  [950_006_285, 20, 20, 'a canary of more pods is asked for, and that lands after more still'],
  [720_018_903, 20, 20, 'a hand takes the weight off and raises it while the watch is late'],
  [1_273_748_673, 20, 20, 'the template goes back before the Deployment takes its canary'],
  [875_994_477, 20, 20, 'a standby that leads has not heard that the Service leads everywhere'],
  [875_992_100, 20, 20, 'the event of a gateway’s status is lost, and the route is to be written'],
  [860_006_433, 2, 4, 'a first raise lands late, and a promotion is asked for meanwhile'],
  [276_294_441, 0, 11, 'a rollback is told by who has not heard of its canary'],
  [1_716_114_692, 20, 20, 'a hand gives a broken canary more than a flinch has left it'],
  [875_991_841, 20, 20, 'the Service of a deleted Deployment is freed, and an event of it is lost'],
])('seed %i, its first %i acts and %i faults: %s', async (seed, acts, faults) => {
  const drawn = planOf(seed);
  const plan = {
    ...drawn,
    acts: drawn.acts.slice(0, acts),
    faults: drawn.faults.slice(0, faults),
  };
  const outcome = await runPlan(plan);
  expect(outcome.violations.length > 0 ? await reportOf(plan, outcome) : '').toBe('');
});

test('a hand lowers the weight while the Service is about to lead to the canary', async () => {
  const calm = { mode: 'on-change', replicas: 1, steps: '1,20', latency: false } as const;
  const plan: Plan = {
    ...calm,
    seed: 1,
    qualities: { v2: 'good', v3: 'good' },
    acts: [
      { at: 7830, kind: 'request', verb: 'promote' },
      { at: 15_908, kind: 'reweigh', canaryPercent: 0 },
    ],
    processes: 1,
    faults: [{ kind: 'no-api', span: { from: 8522, to: 17_229 } }],
  };
  const outcome = await runPlan(plan);
  expect(outcome.violations.length > 0 ? await reportOf(plan, outcome) : '').toBe('');
});

// Nobody can keep it from landing; it is taken back as soon as somebody is there who can.
test.each([[[3620]], [[3620, 9000]], [[12_000, 9000]]])(
  'a hand lowers the weight while the Service is being led to the canary: writes take %j ms',
  async (delays) => {
    const base = { ...planOf(1), replicas: 3, steps: '5,50', processes: 1, latency: false };
    const faults = delays.map((late, index): Fault => {
      return { kind: 'write', nth: 21 + index, fault: { kind: 'slow-request', millis: late } };
    });
    const acts = [{ at: 23_000, kind: 'reweigh', canaryPercent: 30 } as const];
    const told = await tracePlan({ ...base, mode: 'at-rest', acts, faults });
    const first = told.transcript.find((line) => line.includes('FAULT'));
    expect(first).toMatch(/PATCH .*\/services\/web: slow-request/);
    expect(told.violations).toEqual([]);
  },
);

// Between the restored route and the end of its pods nothing told that we had withdrawn the canary:
// the rollout was paused for a hand that nobody had laid on the route.
test.each<readonly [Act, Act]>([
  [
    { at: 5742, kind: 'opt-out' },
    { at: 11_500, kind: 'reapply' },
  ],
  [
    { at: 5742, kind: 'release', version: 'v1' },
    { at: 11_500, kind: 'release', version: 'v2' },
  ],
])('what is undone is done again while the canary is taken away: %j, %j', async (...acts) => {
  const base = { ...planOf(1), replicas: 1, steps: '10', processes: 1, latency: false };
  const told = await tracePlan({ ...base, mode: 'on-change', acts, faults: [] });
  const ours = told.transcript.filter((line) => /ReplicaSet .*: v2, 0 of 0 pods, ours/.test(line));
  expect(ours, 'made, taken away, and made again').toHaveLength(3);
  expect(told.violations).toEqual([]);
});

// Only the route told of the rejection yet, and the opt-out gave it back to its user: the revision
// was tried once more.
test('what was cut is rejected, opted out before it is on record and in again', async () => {
  const base = { ...planOf(1), replicas: 1, steps: '10', processes: 1, latency: false };
  const qualities = { v2: 'broken', v3: 'good' } as const;
  const late: Fault = { kind: 'write', nth: 14, fault: { kind: 'slow-request', millis: 1000 } };
  const acts = [
    { at: 7500, kind: 'opt-out' },
    { at: 14_000, kind: 'reapply' },
  ] as const;
  const told = await tracePlan({ ...base, mode: 'on-change', qualities, acts, faults: [late] });
  const story = told.transcript.join('\n');
  expect(story).toMatch(/marked rejected\n.*FAULT PATCH .*\/deployments\/web: slow-request/);
  expect(story.match(/: v2, 0 of 0 pods, ours, step 0 %/g), 'canaries').toHaveLength(1);
  expect(told.violations).toEqual([]);
});

// It was recorded for rules of two weights, of which no evidence tells.
test('a promotion that was asked for after a hand on one rule is paused, and resumed', async () => {
  const base = { ...planOf(1), replicas: 1, steps: '5,25,50', processes: 1, latency: false };
  const late: Fault = { kind: 'write', nth: 20, fault: { kind: 'slow-request', millis: 12_000 } };
  const acts = [
    { at: 4000, kind: 'own-rule' },
    { at: 12_000, kind: 'reweigh-one', canaryPercent: 1 },
    { at: 13_000, kind: 'request', verb: 'promote' },
    { at: 20_000, kind: 'request', verb: 'pause' },
  ] as const;
  const told = await tracePlan({ ...base, mode: 'on-change', acts, faults: [late] });
  const first = told.transcript.find((line) => line.includes('FAULT'));
  expect(first).toMatch(/PATCH .*\/httproutes\/web: slow-request/);
  expect(told.violations).toEqual([]);
});

// While it is under way it may be too little by now. After its time-out, when the canary was given
// what it needs, it comes too late for anything.
test.each([
  [9000, [2, 1]],
  [12_000, [2, 3]],
])('scaled down and up while the canary is being scaled: %i ms', async (late, expected) => {
  const base = { ...planOf(1), replicas: 4, steps: '50', processes: 1, latency: false };
  const fault: Fault = { kind: 'write', nth: 15, fault: { kind: 'slow-request', millis: late } };
  const acts = [
    { at: 5000, kind: 'request', verb: 'pause' },
    { at: 10_000, kind: 'scale', replicas: 1 },
    { at: 15_000, kind: 'scale', replicas: late > 10_000 ? 6 : 4 },
  ] as const;
  const told = await tracePlan({ ...base, mode: 'on-change', acts, faults: [fault] });
  const story = told.transcript.slice(
    0,
    told.transcript.findIndex((line) => line.endsWith(' resume')),
  );
  expect(story.find((line) => line.includes('FAULT'))).toMatch(/PATCH .*c2ceaaa518: slow-request/);
  const wanted = story.flatMap((line) => /of (\d) pods, ours, step 50/.exec(line)?.[1] ?? []);
  expect([...new Set(wanted)].map(Number)).toEqual(expected);
  expect(told.violations).toEqual([]);
});

// The Deployment takes the pods of what it adopts away, for its template is the stable one: until
// gateways have followed us nobody answers.
test('the template goes back while the adoption is under way', async () => {
  const base = { ...planOf(1), replicas: 3, steps: '5,50', processes: 1, latency: false };
  const late: Fault = { kind: 'write', nth: 22, fault: { kind: 'slow-request', millis: 4000 } };
  const acts = [{ at: 28_000, kind: 'release', version: 'v1' } as const];
  const told = await tracePlan({ ...base, mode: 'at-rest', acts, faults: [late] });
  expect(told.transcript.join('\n')).toMatch(/v2, 3 of 0 pods, the Deployment’s/);
  expect(told.transcript.filter((line) => line.includes('ReplicaSet web-chf'))).toEqual([]);
  expect(told.violations).toEqual([]);
});

// The routes and Services of a Deployment that is gone were looked at once, and never again.
test.each([
  ['pin', 'at-rest', 5, 764],
  ['listing', 'on-change', 7, 1000],
] as const)('a %s that lands after all was swept is swept', async (_what, mode, nth, at) => {
  const late: Fault = { kind: 'write', nth, fault: { kind: 'slow-request', millis: 12_000 } };
  const base = { ...planOf(1), steps: '5,50', replicas: 1, processes: 1, mode };
  const plan = { ...base, acts: [{ at, kind: 'delete' } as const], faults: [late] };
  const { injected, violations } = await runPlan(plan);
  expect(injected.get('write slow-request')).toBe(1);
  expect(violations).toEqual([]);
});

test.each([
  ['good', 2, []],
  ['broken', 2, []],
  // Without a check of latency nobody can know.
  ['slow', 2, ['encore: v4 is slow and serves']],
] as const)('a %s release after the story is a rollout of its own', async (encore, count, all) => {
  const base = { ...planOf(1), replicas: 1, steps: '10', processes: 1, latency: false };
  const qualities = { v2: 'broken' } as const;
  const { rollouts, violations } = await runPlan({
    ...base,
    qualities,
    acts: [],
    encore,
    faults: [],
  });
  expect(rollouts).toBe(count);
  expect(violations).toEqual(all);
});

// Nothing says that one of them is worse: the guard of a common outage holds as long as it lasts.
test('a release as broken as what was promoted unseen waits for a person', async () => {
  const base = { ...planOf(1), replicas: 1, steps: '5,50', processes: 1, latency: false };
  const acts = [
    { at: 8411, kind: 'request', verb: 'promote' },
    { at: 17_593, kind: 'release', version: 'v3' },
  ] as const;
  const told = await tracePlan({
    ...base,
    mode: 'on-change',
    qualities: { v2: 'broken', v3: 'broken' },
    acts,
    faults: [{ kind: 'prometheus', code: 'partial', span: { from: 3052, to: 27_382 } }],
  });
  expect(told.transcript.filter((line) => line.endsWith('somebody: rollback'))).toHaveLength(1);
  expect(told.violations).toEqual([]);
});

// The rollout was held for the refusal, and the Service led back to pods that the adoption ended.
test('the gateway refuses the route while the answer of an adoption is lost', async () => {
  const base = { ...planOf(1), replicas: 3, steps: '10', processes: 1, latency: false, acts: [] };
  const told = await tracePlan({
    ...base,
    mode: 'on-change',
    faults: [
      { kind: 'no-api', span: { from: 17_000, to: 27_049 } },
      { kind: 'no-route-accept', condition: 'Accepted', span: { from: 27_165, to: 77_000 } },
      { kind: 'write', nth: 17, fault: { kind: 'lose-answer' } },
    ],
  });
  const lost = told.transcript.findIndex((line) => line.endsWith('c2ceaaa518: lose-answer'));
  expect(told.transcript[lost + 1]).toMatch(/v2, 3 of 3 pods, nobody’s/);
  expect(told.violations).toEqual([]);
});

// The rejection was recorded first, as if there were nothing to cut.
test('a stale list shows a new leader the route without its canary, which is to go', async () => {
  const base = { ...planOf(1), replicas: 3, steps: '5,50', processes: 1, latency: false };
  const told = await tracePlan({
    ...base,
    mode: 'at-rest',
    acts: [{ at: 8748, kind: 'request', verb: 'rollback' }],
    faults: [
      { kind: 'prometheus', code: 'unreachable', span: { from: 39, to: 26_304 } },
      { kind: 'crash', write: 11, moment: 'before' },
      { kind: 'read', nth: 12, fault: { kind: 'stale', age: 27 } },
    ],
  });
  expect(told.transcript.join('\n')).toMatch(/FAULT GET .*\/httproutes: stale 27/);
  expect(told.violations).toEqual([]);
});

test('the same seed is the same run, commit by commit', async () => {
  const hashes = new Set<string>();
  for (const seed of [3, 6, 9, 12, 15]) {
    const [first, second] = [await tracePlan(planOf(seed)), await tracePlan(planOf(seed))];
    expect(second.hash, `seed ${seed}`).toBe(first.hash);
    hashes.add(first.hash);
  }
  expect(hashes.size).toBe(5);
}, 120_000);

describe('a failure is made small', () => {
  const crash = (write: number): Fault => ({ kind: 'crash', write, moment: 'after' });

  test('down to the faults that it needs together', async () => {
    const sizes = fc.integer({ min: 1, max: 20 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(19), fc.nat(19), async (size, a, b) => {
        const all = Array.from({ length: size }, (_, write) => crash(write));
        const needed = new Set([a % size, b % size]);
        const writes = (some: readonly Fault[]) =>
          new Set(some.map((fault) => (fault.kind === 'crash' ? fault.write : -1)));
        const fails = (some: readonly Fault[]) => {
          const present = writes(some);
          return Promise.resolve([...needed].every((one) => present.has(one)));
        };
        expect(writes(await fewest(all, fails))).toEqual(needed);
      }),
    );
  });

  test('and to one process without acts where these do not matter', async () => {
    const plan = { ...planOf(1), processes: 3, faults: [crash(1), crash(2)] };
    const small = await shrink(plan, (some) => Promise.resolve(some.faults.length > 0));
    expect(small).toMatchObject({ processes: 1, acts: [], replicas: 1, latency: false });
    expect(small.faults).toHaveLength(1);
  });
});
