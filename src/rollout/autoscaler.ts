/** What a HorizontalPodAutoscaler of the namespace says that matters here. */
export interface AutoscalerView {
  readonly name: string;
  readonly target: { readonly kind: string; readonly name: string };
  readonly metrics: readonly AutoscalerMetric[];
  readonly minReplicas: number;
  readonly maxReplicas: number;
}

export interface AutoscalerMetric {
  readonly type: string;
  /** Resource: `cpu`, `memory`; else the metric's own name. */
  readonly name: string;
  /** `Utilization`, `AverageValue`, `Value`. */
  readonly target: string;
}

/**
 * T11: an autoscaler counts the canary's pods as the Deployment's own. Load shared by all pods
 * (CPU) cancels out; a
 * metric that is constant per pod, or one value for the whole application, makes it ask for more
 * replicas than needed.
 * @returns what to tell the user, or undefined
 */
export function autoscalerWarning(
  deployment: string,
  autoscalers: readonly AutoscalerView[],
): string | undefined {
  for (const { name, target, metrics, minReplicas, maxReplicas } of autoscalers) {
    if (target.kind !== 'Deployment' || target.name !== deployment) continue;
    const counted = metrics.find(countsCanary);
    if (counted !== undefined) {
      return (
        `HorizontalPodAutoscaler ${name}: its metric ${counted.name} counts canary pods as well, ` +
        'so it may ask for more replicas while a canary runs; ' +
        'CPU utilization or an AverageValue of an external metric does not'
      );
    }
    if (maxReplicas === minReplicas && maxReplicas === 1) {
      return `HorizontalPodAutoscaler ${name} keeps 1 replica: stable has no spare capacity`;
    }
  }
  return undefined;
}

const countsCanary = ({ type, name, target }: AutoscalerMetric): boolean =>
  (type === 'Resource' && name === 'memory') ||
  type === 'Pods' ||
  ((type === 'Object' || type === 'External') && target === 'Value');
