import type { Act, Plan, Quality } from '../swarm/plan.ts';

/** A story without faults, to be disturbed at one place after another. */
export type Workload = Omit<Plan, 'faults'> & { readonly name: string };

interface Changes extends Partial<Omit<Plan, 'faults' | 'qualities'>> {
  readonly v2?: Quality;
}

const workload = (name: string, { v2 = 'good', ...changes }: Changes = {}): Workload => ({
  name,
  seed: 1,
  mode: 'on-change',
  replicas: 3,
  steps: '5,50',
  latency: false,
  acts: [],
  processes: 1,
  qualities: { v2, v3: 'good' },
  ...changes,
});

/** During the first step, which lasts until some 20 s after the release. */
const during = 12_000;
const act = (one: Act): readonly Act[] => [one];

export const workloads: readonly Workload[] = [
  workload('promotion'),
  workload('promotion, paused at rest', { mode: 'at-rest' }),
  workload('promotion by one of two leaders', { processes: 2 }),
  workload('rollback', { v2: 'broken' }),
  workload('rollback, paused at rest', { v2: 'broken', mode: 'at-rest' }),
  workload('rollback by one of two leaders', { v2: 'broken', processes: 2 }),
  workload('few errors', { v2: 'flaky' }),
  workload('slow answers', { v2: 'slow', latency: true }),
  workload('one replica', { replicas: 1, steps: '10' }),
  workload('three steps, five replicas', { replicas: 5, steps: '5,25,50' }),
  workload('promoted by hand', {
    acts: act({ at: during, kind: 'request', verb: 'promote' }),
  }),
  workload('newer revision', { acts: act({ at: during, kind: 'release', version: 'v3' }) }),
  workload('revert', { acts: act({ at: during, kind: 'release', version: 'v1' }) }),
  workload('scaled by hand', {
    acts: [
      { at: during, kind: 'scale', replicas: 6 },
      { at: during + 5000, kind: 'scale', replicas: 2 },
    ],
  }),
  workload('scaled by an autoscaler', {
    acts: act({ at: during, kind: 'autoscale', replicas: 6 }),
  }),
  workload('manual rollback', {
    acts: act({ at: during, kind: 'request', verb: 'rollback' }),
  }),
  workload('pause and resume', {
    acts: [
      { at: during, kind: 'request', verb: 'pause' },
      { at: during + 20_000, kind: 'request', verb: 'resume' },
    ],
  }),
  workload('skipped step', { acts: act({ at: during, kind: 'request', verb: 'skip-step' }) }),
  workload('GitOps applies again and again', {
    acts: Array.from({ length: 6 }, (_, i) => ({ at: (i + 1) * 5000, kind: 'reapply' as const })),
  }),
  workload('opt-out', { acts: act({ at: during, kind: 'opt-out' }) }),
  workload('deletion', { acts: act({ at: during, kind: 'delete' }) }),
];
