import type { KubernetesClient } from '../kubernetes/client.ts';
import { recordAt } from '../kubernetes/raw-object.ts';
import { resources } from '../kubernetes/resources.ts';
import type { Clock } from '../lib/clock.ts';
import { type Instant, later, minutes } from '../lib/units.ts';
import type { PauseMode } from '../rollout/rollout-spec.ts';
import type { DeploymentView } from '../rollout/views.ts';

/**
 * Finds out whether the API server pauses an opted-in Deployment in the request that changes its
 * template.
 */
export interface PauseProbe {
  /** What is known; undefined before the first answer. */
  mode(): PauseMode | undefined;
  /**
   * Asks with a dry run on this Deployment unless a recent answer is there. Rejects with
   * `OperatingError`.
   */
  ask(deployment: DeploymentView, signal: AbortSignal): Promise<PauseMode>;
  /** A template rolled natively although the policy should have paused it: ask again. */
  doubt(): void;
}

/** A cluster without the policy may get it; one with it keeps it. */
const askAgain = minutes(1);

export function createPauseProbe(parts: {
  readonly client: KubernetesClient;
  readonly clock: Clock;
}): PauseProbe {
  let mode: PauseMode | undefined;
  let validUntil: Instant | undefined;
  return {
    mode: () => mode,
    async ask(deployment, signal) {
      const now = parts.clock.now();
      if (
        mode === 'on-change' ||
        (mode !== undefined && validUntil !== undefined && now < validUntil)
      ) {
        return mode;
      }
      mode = await probe(parts.client, deployment, signal);
      validUntil = later(now, askAgain);
      return mode;
    },
    doubt() {
      mode = undefined;
    },
  };
}

/** A dry run changes the template's annotations; admission runs, nothing is stored. */
async function probe(
  client: KubernetesClient,
  deployment: DeploymentView,
  signal: AbortSignal,
): Promise<PauseMode> {
  const { namespace, name, uid } = deployment;
  const patch = {
    spec: { template: { metadata: { annotations: { 'haldane.dev/probe': 'dry-run' } } } },
  };
  const ref = { resource: resources.deployments, namespace, name };
  const answer = await client.mergePatch(ref, patch, { uid, dryRun: true }, signal);
  return recordAt(answer, 'spec')['paused'] === true ? 'on-change' : 'at-rest';
}
