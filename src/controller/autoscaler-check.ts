import { autoscalerView } from '../kubernetes/objects.ts';
import { resources } from '../kubernetes/resources.ts';
import { describeError } from '../lib/errors.ts';
import { autoscalerWarning } from '../rollout/autoscaler.ts';
import type { DeploymentView } from '../rollout/views.ts';
import { aboutDeployment } from './event-sink.ts';
import type { Parts } from './parts.ts';

type Needed = Pick<Parts, 'effects' | 'events' | 'log'>;

/**
 * One look at the namespace's autoscalers when a canary begins; what it finds is told and changes
 * nothing.
 */
export async function checkAutoscalers(
  deployment: DeploymentView,
  { effects, events, log }: Needed,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name } = deployment;
  try {
    const pages = effects.client.list(resources.horizontalPodAutoscalers, { namespace }, signal);
    for await (const { items } of pages) {
      const message = autoscalerWarning(name, items.map(autoscalerView));
      if (message === undefined) continue;
      events.record({
        subject: aboutDeployment(deployment),
        type: 'Warning',
        reason: 'AutoscalerCountsCanary',
        message,
      });
      return;
    }
  } catch (error) {
    log.debug({ rollout: `${namespace}/${name}`, because: describeError(error) }, 'no autoscalers');
  }
}
