import { percent, seconds } from '../lib/units.ts';
import type { Problem, RolloutSpec } from '../rollout/rollout-spec.ts';
import type { AnnotationContext } from '../spec/annotation-keys.ts';
import { annotationPrefix, parseAnnotations } from '../spec/annotations.ts';

/** What a Deployment's annotations ask for, or what is wrong with them. */
export interface Asked {
  readonly optedIn: boolean;
  readonly spec: RolloutSpec | undefined;
  readonly problems: readonly Problem[];
}

type Annotations = Readonly<Record<string, string>>;

/** The controller's own parser; `context` is what the admin's configuration knows. */
export function readAsked(annotations: Annotations, context = openContext(annotations)): Asked {
  const parsed = parseAnnotations(annotations, context);
  if (!parsed.ok) return { optedIn: true, spec: undefined, problems: parsed.problems };
  const { enabled, spec, notes } = parsed;
  return { optedIn: enabled, spec: enabled ? spec : undefined, problems: notes };
}

/**
 * A context for those who do not have the configuration: every profile, check and notifier that the
 * annotations name is taken as known. Only the controller can say more.
 */
function openContext(annotations: Annotations): AnnotationContext {
  const named = (key: string): readonly string[] =>
    (annotations[`${annotationPrefix}${key}`] ?? '').split(',').map((name) => name.trim());
  const profile = {
    minStep: seconds(15),
    maxStep: seconds(7200),
    bake: seconds(15),
    flinch: true,
  };
  const checks = ['errors', ...named('checks')];
  return {
    profiles: new Map(['default', ...named('profile')].map((name) => [name, profile])),
    checks,
    // What kinds they are stands in the configuration alone.
    countingChecks: checks,
    notifiers: named('notify').filter((name) => name !== 'none'),
    routeKinds: ['httproute'],
    defaults: {
      steps: [1, 5, 10, 25, 50].map(percent),
      profile: 'default',
      checks: ['errors'],
      notify: [],
      onReject: 'keep',
    },
  };
}
