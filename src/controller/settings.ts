import { seconds } from '../lib/units.ts';
import type { Limits } from '../rollout/state.ts';
import { annotationContext } from '../spec/annotation-context.ts';
import type { AnnotationContext } from '../spec/annotation-keys.ts';
import type { Config } from '../spec/config.ts';

/** The configuration as the passes need it. */
export interface Settings {
  readonly config: Config;
  readonly limits: Limits;
  readonly annotations: AnnotationContext;
}

export function settingsOf(config: Config): Settings {
  const { propagation, drain, canaryReady } = config.limits;
  return {
    config,
    limits: {
      propagation,
      drain,
      canaryReady,
      routeAccepted: seconds(60),
      holdNotice: seconds(30),
      problemNotice: seconds(3),
      checkpoint: seconds(60),
    },
    annotations: annotationContext(config, ['httproute']),
  };
}
