import type { UsageRatio } from '../../src/embedded/controllers/autoscaler.ts';
import type { JsonObject } from '../../src/embedded/json.ts';
import type { Clock } from '../../src/lib/clock.ts';

// A HorizontalPodAutoscaler of the modelled application, and what it measures.

export interface AutoscalerSpec {
  /** `memory` is the same for every pod, however many there are. */
  readonly metric: 'cpu' | 'memory';
  /** Average utilization wanted, percent of what a pod has requested. */
  readonly targetPercent: number;
  readonly most: number;
}

/** Requests per second for which a pod needs all the CPU that it has requested. */
const podCapacity = 600;
/** A pod has always so much of its memory in use, percent. */
const memoryInUse = 50;

export const autoscaler = (
  namespace: string,
  { metric, targetPercent, most }: AutoscalerSpec,
): JsonObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'web', namespace },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    minReplicas: 1,
    maxReplicas: most,
    metrics: [
      {
        type: 'Resource',
        resource: {
          name: metric,
          target: { type: 'Utilization', averageUtilization: targetPercent },
        },
      },
    ],
  },
});

interface Metric {
  readonly resource: {
    readonly name: string;
    readonly target: { readonly averageUtilization: number };
  };
}

/**
 * The requests that pods have answered since the last look, spread over all that the Deployment's
 * selector matches: those of a canary as well.
 * @param answered requests since the beginning, over all versions
 */
export function measuredUsage(clock: Clock, answered: () => number): UsageRatio {
  let last: { readonly at: number; readonly total: number } | undefined;
  return (object, { length: pods }) => {
    const now = { at: clock.monotonic(), total: answered() };
    const before = last;
    last = now;
    const { metrics } = object.spec as unknown as { readonly metrics: readonly Metric[] };
    const resource = metrics[0]?.resource;
    if (resource === undefined || before === undefined || pods === 0) return undefined;
    const rps = ((now.total - before.total) / (now.at - before.at)) * 1000;
    const inUse = resource.name === 'memory' ? memoryInUse : (rps / pods / podCapacity) * 100;
    return inUse / resource.target.averageUtilization;
  };
}
