import type { PauseMode, Problem } from './rollout-spec.ts';
import { marks, pinKey } from './snapshot.ts';
import type {
  DeploymentView,
  LabelSelector,
  PodView,
  ReplicaSetView,
  ServiceView,
} from './views.ts';

// The Service and the route are found by themselves; what is ambiguous is listed and the user
// picks.

export type Found<T> = { readonly found: T } | { readonly problem: Problem };

const prefix = 'haldane.dev/';

/** The Service that selects the Deployment's pods, or the one named by the user. */
export function findService(
  deployment: DeploymentView,
  services: readonly ServiceView[],
  asked: string | undefined,
): Found<ServiceView> {
  const candidates = services.filter((service) => selects(service, deployment.templateLabels));
  const key = `${prefix}service`;
  if (asked !== undefined) {
    const named = services.find((service) => service.name === asked);
    if (named === undefined)
      return problem(key, `"${asked}": no such Service in namespace ${deployment.namespace}`);
    if (!candidates.includes(named))
      return problem(key, `"${asked}": the Service does not select the pods of ${deployment.name}`);
    return { found: named };
  }
  const [only, ...more] = candidates;
  if (only === undefined)
    return problem(key, `no Service selects the pods of ${deployment.name}; create one that does`);
  if (more.length > 0) {
    const names = candidates.map((service) => service.name).join(', ');
    return problem(
      key,
      `more than one Service selects the pods of ${deployment.name}: ${names}; name one of them`,
    );
  }
  return { found: only };
}

/** A route is known by its kind and name, and the Services it sends requests to. */
export interface RouteCandidate {
  readonly kind: 'httproute';
  readonly name: string;
  readonly services: readonly string[];
}

/** The one route that sends requests to the Service, or the one named by the user. */
export function findRoute(
  service: string,
  routes: readonly RouteCandidate[],
  asked: { readonly kind: string; readonly name: string } | undefined,
): Found<RouteCandidate> {
  const candidates = routes.filter((route) => route.services.includes(service));
  const key = `${prefix}route`;
  const nameOf = (route: RouteCandidate) => `${route.kind}/${route.name}`;
  if (asked !== undefined) {
    const text = `${asked.kind}/${asked.name}`;
    const named = routes.find((route) => nameOf(route) === text);
    if (named === undefined) return problem(key, `"${text}": no such route in this namespace`);
    if (!candidates.includes(named))
      return problem(key, `"${text}": no rule of it sends requests to Service ${service}`);
    return { found: named };
  }
  const [only, ...more] = candidates;
  if (only === undefined)
    return problem(key, `no HTTPRoute sends requests to Service ${service}; create one that does`);
  if (more.length > 0) {
    return problem(
      key,
      `more than one route sends requests to Service ${service}: ` +
        `${candidates.map(nameOf).join(', ')}; name one of them`,
    );
  }
  return { found: only };
}

/** Why this Deployment cannot be canaried at all, whatever its annotations say. */
export function workloadProblems(
  deployment: DeploymentView,
  others: readonly DeploymentView[],
): readonly Problem[] {
  const found: Problem[] = [];
  const enabled = `${prefix}enabled`;
  if (deployment.strategy === 'Recreate') {
    found.push({
      key: enabled,
      message: `${enabled}: strategy Recreate never runs two versions at once; use RollingUpdate`,
    });
  }
  if (Object.keys(deployment.selector.matchLabels ?? {}).length === 0) {
    found.push({
      key: enabled,
      message:
        `${enabled}: spec.selector has no matchLabels, ` +
        'so canary pods could not be told apart; add one',
    });
  }
  const twin = others.find(
    (other) => other.uid !== deployment.uid && matches(other.selector, deployment.templateLabels),
  );
  if (twin !== undefined) {
    found.push({
      key: enabled,
      message: `${enabled}: Deployment ${twin.name} selects the same pods; label each apart`,
    });
  }
  const adopter = others.find((other) =>
    matches(other.selector, { [canaryForKey]: deployment.uid }),
  );
  if (adopter !== undefined) {
    // T20: such a selector would match our ReplicaSet, which has none of the application's labels.
    found.push({
      key: enabled,
      message:
        `${enabled}: the selector of Deployment ${adopter.name} matches what has none of its ` +
        'labels, so it would adopt the canary; give it matchLabels',
    });
  }
  return found;
}

/**
 * A pause that is neither ours nor the admission policy's: the template is the one that serves, and
 * no mark says why it waits. Whoever paused it decides when it goes on.
 */
export function pausedByHand(
  deployment: DeploymentView,
  stable: ReplicaSetView | undefined,
  pauseMode: PauseMode,
): Problem | undefined {
  const { annotations, paused, templateHash } = deployment;
  const isOurs = [marks.rollout, marks.originalProgressDeadline].some((key) => key in annotations);
  const isPending = stable?.templateHash !== templateHash;
  if (!paused || isOurs || isPending || pauseMode === 'at-rest') return undefined;
  return {
    key: marks.enabled,
    message:
      `${marks.enabled}: the Deployment was paused by hand; ` +
      `"kubectl rollout resume deployment/${deployment.name}" lets rollouts begin`,
  };
}

/** Label of a canary ReplicaSet; its value is the Deployment's uid. */
const canaryForKey = 'haldane.dev/canary-for';

/** T18: pinning would cut off the other pods that this Service leads to. */
export function sharedServiceProblem(
  service: ServiceView,
  foreign: readonly PodView[],
): Problem | undefined {
  const [pod] = foreign;
  if (pod === undefined) return undefined;
  const key = `${prefix}service`;
  return {
    key,
    message:
      `${key}: Service ${service.name} also leads to pod ${pod.name}, ` +
      'which is not of this Deployment; give it a Service of its own',
  };
}

function problem(key: string, text: string): { readonly problem: Problem } {
  return { problem: { key, message: `${key}: ${text}` } };
}

/** Our own pin is no part of what the user's Service selects. */
export function selects(service: ServiceView, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(service.selector).filter(([key]) => key !== pinKey);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

/** Label selector semantics of apimachinery's LabelSelector. */
export function matches(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  const equal = Object.entries(selector.matchLabels ?? {}).every(
    ([key, value]) => labels[key] === value,
  );
  return (
    equal &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
        default:
          return false;
      }
    })
  );
}
