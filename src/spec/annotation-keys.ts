import type { Millis, Percent } from '../lib/units.ts';
import type { RouteRef } from '../rollout/rollout-spec.ts';
import { spanRange } from './annotation-values.ts';
import { durationRule } from './durations.ts';
import { listed } from './problems.ts';

/** What the configuration knows, by name, and what holds when an annotation is absent. */
export interface AnnotationContext {
  readonly profiles: ReadonlyMap<string, ProfileValues>;
  readonly checks: readonly string[];
  /** Those of them that count requests and act: every rollout needs one. */
  readonly countingChecks: readonly string[];
  readonly notifiers: readonly string[];
  /** Kinds of routes that can be steered, in small letters: `httproute`. */
  readonly routeKinds: readonly RouteRef['kind'][];
  readonly defaults: {
    readonly steps: readonly Percent[];
    readonly profile: string;
    readonly checks: readonly string[];
    readonly notify: readonly string[];
    readonly onReject: 'keep' | 'revert';
  };
}

/** What a profile says where the Deployment does not. */
export interface ProfileValues {
  readonly minStep: Millis;
  readonly maxStep: Millis;
  readonly bake: Millis;
  readonly flinch: boolean;
}

/** One annotation that users write; the reference page and the messages are made from it. */
export interface UserKey {
  readonly meaning: string;
  readonly example: string;
  /** What holds when it is absent, in words. */
  readonly absent: string;
  /** What is allowed, as the end of a message. */
  readonly allowed: (context: AnnotationContext) => string;
}

const words = (...all: readonly string[]) => `use ${all.map((word) => `"${word}"`).join(' or ')}`;

export const userKeys: ReadonlyMap<string, UserKey> = new Map<string, UserKey>([
  [
    'enabled',
    {
      meaning: 'Opts the Deployment in. The only annotation that is required.',
      example: 'true',
      absent: 'not opted in; removing it, or "false", opts out',
      allowed: () => words('true', 'false'),
    },
  ],
  [
    'service',
    {
      meaning: 'The Service whose pods are split into stable and canary.',
      example: 'web',
      absent: 'the one Service that selects the pods of the Deployment',
      allowed: () => 'use the name of a Service in the namespace of the Deployment, e.g. "web"',
    },
  ],
  [
    'route',
    {
      meaning: 'The route whose traffic is shifted, as kind/name.',
      example: 'httproute/web',
      absent: 'the one route that sends traffic to the Service',
      allowed: ({ routeKinds }) =>
        `use kind/name of a route in the namespace of the Deployment, e.g. "httproute/web"; ` +
        `kinds: ${listed(routeKinds)}`,
    },
  ],
  [
    'steps',
    {
      meaning: 'The weights of the canary in percent of the traffic; then 100 by promotion.',
      example: '1,5,25,50',
      absent: 'the configured default (1,5,10,25,50; below 20 requests/s 10,25,50)',
      allowed: () => 'use rising whole numbers 1–100, e.g. "1,5,25,50,100"',
    },
  ],
  [
    'profile',
    {
      meaning: 'The analysis policy: how much worse the canary may be, and how sure to be of it.',
      example: 'strict',
      absent: 'the configured default',
      allowed: ({ profiles }) => `configured: ${listed([...profiles.keys()])}`,
    },
  ],
  [
    'checks',
    {
      meaning:
        'What is compared between canary and stable, as a list of configured checks, at least ' +
        'one of which counts requests and acts.',
      example: 'errors,latency',
      absent: 'the configured default',
      allowed: ({ checks, countingChecks }) => {
        const least = `; at least one of ${listed(countingChecks)}`;
        const needed = countingChecks.length < checks.length ? least : '';
        return `use names with commas between; configured: ${listed(checks)}${needed}`;
      },
    },
  ],
  [
    'min-step',
    {
      meaning: 'The shortest time at each weight, however good the evidence.',
      example: '1m',
      absent: 'the value of the profile',
      allowed: () => durationRule(spanRange),
    },
  ],
  [
    'max-step',
    {
      meaning: 'The longest time at one weight; then the rollout holds and tells.',
      example: '2h',
      absent: 'the value of the profile',
      allowed: () => durationRule(spanRange),
    },
  ],
  [
    'bake',
    {
      meaning: 'The shortest time at the last weight before promotion.',
      example: '15m',
      absent: 'the value of the profile',
      allowed: () => durationRule(spanRange),
    },
  ],
  [
    'on-reject',
    {
      meaning:
        'After a rollback: "keep" leaves the rejected template in the Deployment, marked; ' +
        '"revert" writes the stable template back.',
      example: 'revert',
      absent: 'the configured default',
      allowed: () => words('keep', 'revert'),
    },
  ],
  [
    'notify',
    {
      meaning: 'Who is told, as a list of configured notifiers; "none" for nobody.',
      example: 'slack',
      absent: 'the configured default',
      allowed: ({ notifiers }) =>
        `use "none" or names with commas between; configured: ${listed(notifiers)}`,
    },
  ],
  [
    'pause',
    {
      meaning:
        'How a change of the template is kept from rolling out by itself: paused in the very ' +
        'request that changes it, or paused all the time.',
      example: 'at-rest',
      absent: 'on-change where the cluster offers it, else at-rest',
      allowed: () => words('on-change', 'at-rest'),
    },
  ],
  [
    'flinch',
    {
      meaning: 'Whether the weight drops at the first strong suspicion, before it is proved.',
      example: 'off',
      absent: 'the value of the profile',
      allowed: () => words('on', 'off'),
    },
  ],
]);
