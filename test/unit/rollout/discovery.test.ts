import { describe, expect, test } from 'vitest';
import { pausedByHand } from '../../../src/rollout/discovery.ts';
import type { PauseMode } from '../../../src/rollout/rollout-spec.ts';
import { aDeployment, aReplicaSet, canaryHash, stableHash } from '../../builders/snapshot.ts';

const enabled = { 'haldane.dev/enabled': 'true' };

describe('a paused Deployment', () => {
  test.each<
    [what: string, mode: PauseMode, change: Parameters<typeof aDeployment>[0], by: boolean]
  >([
    ['whose template serves, unmarked', 'on-change', {}, true],
    ['that is not paused', 'on-change', { paused: false }, false],
    ['whose template is new: the policy', 'on-change', { templateHash: canaryHash }, false],
    [
      'in a rollout: we',
      'on-change',
      { annotations: { ...enabled, 'haldane.dev/rollout': canaryHash } },
      false,
    ],
    ['in at-rest mode: we', 'at-rest', {}, false],
  ])('%s', (_what, mode, change, byHand) => {
    const deployment = aDeployment({ templateHash: stableHash, annotations: enabled, ...change });
    const problem = pausedByHand(deployment, aReplicaSet(stableHash), mode);
    expect(problem !== undefined).toBe(byHand);
    if (byHand) expect(problem?.message).toContain('kubectl rollout resume deployment/web');
  });
});
