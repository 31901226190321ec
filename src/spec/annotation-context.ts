import type { RouteRef } from '../rollout/rollout-spec.ts';
import type { AnnotationContext } from './annotation-keys.ts';
import { type Config, countingChecks } from './config.ts';

/** What the annotations of any Deployment are read against. */
export const annotationContext = (
  config: Config,
  routeKinds: readonly RouteRef['kind'][],
): AnnotationContext => ({
  profiles: config.profiles,
  checks: [...config.checks.keys()],
  countingChecks: countingChecks(config),
  notifiers: [...config.notifiers.keys()],
  routeKinds,
  defaults: config.defaults,
});
