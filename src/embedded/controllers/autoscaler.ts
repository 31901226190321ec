import { millis } from '../../lib/units.ts';
import { asArray, asNumber, asObject, asString, equalJson } from '../json.ts';
import type { KubernetesObject, Resource } from '../resource.ts';
import { labelSelectorMatch } from '../selectors.ts';
import { ApiFailure } from '../status.ts';
import { type Controller, type ControllerContext, targetOf } from './context.ts';
import { asDeployment, asJson, asStored, isPodActive, isPodReady } from './objects.ts';

/**
 * Ratio of the measured to the wanted value of an autoscaler's metric: 1 is on target.
 * `undefined` when
 * there is no measurement.
 */
export type UsageRatio = (
  autoscaler: KubernetesObject,
  readyPods: readonly KubernetesObject[],
) => number | undefined;

export type AutoscalerOptions = {
  readonly usage: UsageRatio;
  readonly everyMillis?: number;
};

const tolerance = 0.1;
const manager = { manager: 'horizontal-pod-autoscaler' };

/**
 * A simple HorizontalPodAutoscaler: replicas = ⌈ratio × ready pods⌉ within its bounds. Like the
 * real one
 * it counts every pod that the target's selector matches, those of a canary as well.
 */
export function startAutoscaler(
  context: ControllerContext,
  options: AutoscalerOptions,
): Controller {
  const { server, clock } = context;
  const autoscalers = server.resource('autoscaling/v2', 'horizontalpodautoscalers');
  const deployments = server.resource('apps/v1', 'deployments');
  let cancel = () => {};
  const arm = () => {
    cancel = clock.after(millis(options.everyMillis ?? 15_000), () => {
      for (const autoscaler of server.store.list('autoscaling/horizontalpodautoscalers')) {
        try {
          adjust(context, { autoscalers, deployments }, autoscaler, options.usage);
        } catch (error) {
          if (!(error instanceof ApiFailure)) throw error;
        }
      }
      arm();
    });
  };
  arm();
  return { stop: () => cancel() };
}

function adjust(
  { server }: ControllerContext,
  kinds: { readonly autoscalers: Resource; readonly deployments: Resource },
  autoscaler: KubernetesObject,
  usage: UsageRatio,
): void {
  const spec = asObject(autoscaler.spec);
  const { namespace = '' } = autoscaler.metadata;
  const stored = server.store.read(
    'apps/deployments',
    namespace,
    asString(asObject(spec.scaleTargetRef).name),
  );
  if (stored === undefined) return;
  const d = asDeployment(stored);
  const selects = labelSelectorMatch(d.spec.selector);
  const ready = server.store
    .list('/pods', namespace)
    .filter((pod) => selects(pod.metadata.labels) && isPodActive(pod) && isPodReady(pod));
  const ratio = usage(autoscaler, ready);
  const current = d.spec.replicas;
  if (current === 0) return;
  const wanted =
    ratio === undefined || Math.abs(ratio - 1) <= tolerance
      ? current
      : Math.ceil(ratio * ready.length);
  const desired = Math.min(
    Math.max(wanted, asNumber(spec.minReplicas, 1)),
    asNumber(spec.maxReplicas, 1),
  );
  if (desired !== current)
    server.objects.modify(
      targetOf(kinds.deployments, asStored(d), 'scale'),
      (o) => asJson({ ...o, spec: { ...asObject(o.spec), replicas: desired } }),
      manager,
    );
  const status = {
    currentReplicas: current,
    desiredReplicas: desired,
    conditions: asArray(asObject(autoscaler.status).conditions),
    currentMetrics: [],
  };
  if (!equalJson(status, autoscaler.status ?? null))
    server.objects.modify(
      targetOf(kinds.autoscalers, autoscaler, 'status'),
      (o) => asJson({ ...o, status }),
      manager,
    );
}
