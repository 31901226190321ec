import { ladderWords } from '../analysis/ladder-words.ts';
import { type Percent, percent } from '../lib/units.ts';
import { marks, type Rejection, routeCarries } from '../rollout/snapshot.ts';
import type { CheckSummary, Phase, RolloutState } from '../rollout/state.ts';
import { parseRequest } from '../spec/request.ts';
import type { Asked } from './asked.ts';
import type { Facts } from './facts.ts';
import { type ExitCode, exitCodes } from './outcome.ts';

/** One Deployment as `haldane status -o json` prints it. Units stand in the names. */
export interface RolloutStatus {
  readonly namespace: string;
  readonly deployment: string;
  readonly optedIn: boolean;
  readonly phase: Phase | 'not-opted-in';
  /** Name of the rule that decided last; empty at rest. */
  readonly rule: string;
  readonly because: string;
  readonly weightPercent: Percent;
  /** 1-based; 0 before the first step. */
  readonly step: number;
  readonly steps: readonly Percent[];
  /** Which steps, why these, and how long the first one takes; null while not known. */
  readonly ladder: string | null;
  /** Hash of the pod template that the Deployment asks for. */
  readonly revision: string;
  readonly stableRevision: string | null;
  readonly attempt: number;
  readonly images: readonly ImageDifference[];
  readonly replicas: {
    readonly wanted: number;
    readonly stable: number;
    readonly canary: number;
    readonly canaryAvailable: number;
  };
  readonly checks: readonly StatusCheck[];
  /** What is left of α after evidence was lost; 1: all of it. */
  readonly alphaShare: number;
  readonly exposedRequests: number;
  readonly failedRequests: number;
  readonly startedAtMillis: number | null;
  /** When the controller wrote what is shown of the evidence. */
  readonly updatedAtMillis: number | null;
  readonly pausedBy: string | null;
  readonly request: RequestStatus | null;
  readonly problems: readonly string[];
}

/** One check as of the last record. A dry run is shown and never acts. */
export type StatusCheck = CheckSummary & Required<Pick<CheckSummary, 'dryRun'>>;

export interface ImageDifference {
  readonly container: string;
  readonly from: string;
  readonly to: string;
}

export interface RequestStatus {
  readonly verb: string;
  readonly by: string | null;
  readonly taken: boolean;
}

/** What is so, in the words of the controller where it has written them. */
export function rolloutStatus(facts: Facts, asked: Asked): RolloutStatus {
  const { deployment, stable, canary, route } = facts;
  const state = facts.state === 'unreadable' ? undefined : facts.state;
  const rejection = rejectionOf(facts);
  return {
    namespace: deployment.namespace,
    deployment: deployment.name,
    optedIn: asked.optedIn,
    ...standing(facts, asked, state, rejection),
    weightPercent: weightOf(facts, state),
    step: state === undefined ? 0 : stepOf(state, route),
    steps: state?.spec.steps ?? asked.spec?.steps ?? [],
    ladder: ladderOf(state),
    revision: deployment.templateHash,
    stableRevision: stable?.templateHash ?? null,
    attempt: state?.attempt ?? rejection?.attempt ?? 1,
    images: differences(stable?.images, canary?.images ?? deployment.images),
    replicas: {
      wanted: deployment.replicas,
      stable: stable?.available ?? 0,
      canary: canary?.replicas ?? 0,
      canaryAvailable: canary?.available ?? 0,
    },
    checks: (state?.summary.checks ?? []).map((one) => ({ ...one, dryRun: one.dryRun === true })),
    alphaShare: state?.alphaShare ?? 1,
    exposedRequests: state?.exposedRequests ?? 0,
    failedRequests: state?.failedRequests ?? 0,
    startedAtMillis: state?.startedAt ?? null,
    updatedAtMillis: state?.summary.updatedAt ?? null,
    pausedBy: state?.pause?.by ?? null,
    request: requestStatus(facts, state),
    problems: asked.problems.map(({ message }) => message),
  };
}

const ladderOf = (state: RolloutState | undefined): string | null =>
  (state?.ladder ? ladderWords(state.ladder, state.spec.steps) : undefined) ?? null;

/** The rejection of the template that the Deployment asks for. */
export const rejectionOf = ({ deployment, rejections }: Facts): Rejection | undefined =>
  rejections.findLast(({ revision }) => revision === deployment.templateHash);

type Standing = Pick<RolloutStatus, 'phase' | 'rule' | 'because'>;

function standing(
  facts: Facts,
  asked: Asked,
  state: RolloutState | undefined,
  rejection: Rejection | undefined,
): Standing {
  const say = (phase: RolloutStatus['phase'], rule: string, because: string): Standing => ({
    phase,
    rule,
    because,
  });
  const mark = facts.route?.record?.mark;
  if (facts.adopted) {
    return say('promoting', state?.summary.rule ?? '', 'the Deployment has taken the canary over');
  }
  // The route is written first: between the cut and the record it alone knows.
  if (facts.canary !== undefined && mark?.kind === 'rejected') {
    return say('rolling-back', mark.rule, mark.because);
  }
  if (state !== undefined) return say(...liveStanding(state));
  if (facts.state === 'unreadable') {
    return say('preparing', 'stateUnreadable', 'the canary has no state that can be read');
  }
  if (!asked.optedIn) return notOptedIn(facts, say);
  if (rejection !== undefined) return say('rejected', rejection.rule, rejection.because);
  if (facts.deployment.annotations[marks.rollout] !== undefined) {
    return say('preparing', '', 'the rollout begins');
  }
  const [problem] = asked.problems;
  if (problem !== undefined) return say('invalid', 'invalid', problem.message);
  // Names of profiles, checks and notifiers are judged by the controller, which has the
  // configuration.
  const told = facts.deployment.annotations[marks.notified];
  if (told?.includes('/invalid/') === true) {
    return say('invalid', 'invalid', told.slice(told.indexOf(' ') + 1));
  }
  // Also while the controller is away: then this is all that can be said.
  const { stable, deployment } = facts;
  if (stable !== undefined && stable.templateHash !== deployment.templateHash) {
    return say('preparing', '', 'a new template waits for its canary');
  }
  return say('rest', '', 'nothing to do: all requests go to the one revision there is');
}

function liveStanding(state: RolloutState): [RolloutStatus['phase'], string, string] {
  const { pause, summary, outcome } = state;
  // Why it ended, and not that it is being ended.
  const { rule, because } = outcome ?? summary;
  const { phase } = summary;
  return pause === null || phase === 'rolling-back'
    ? [phase, rule, because]
    : ['paused', 'paused', pause.because];
}

function notOptedIn(
  { deployment }: Facts,
  say: (phase: RolloutStatus['phase'], rule: string, because: string) => Standing,
): Standing {
  return marks.originalProgressDeadline in deployment.annotations
    ? say('opting-out', 'optedOut', 'the Deployment gets back what it had')
    : say('not-opted-in', '', 'the annotation haldane.dev/enabled is not there');
}

function weightOf({ route, adopted }: Facts, state: RolloutState | undefined): Percent {
  if (adopted) return percent(100);
  return route?.weight ?? state?.summary.weight ?? percent(0);
}

/**
 * The step whose weight the route carries, 1-based: requests name it. A raise that was recorded but
 * not made has not happened (as in `rollout/snapshot.ts`).
 */
export function stepOf({ step }: RolloutState, route: Facts['route']): number {
  const { index, fromIndex, from, to, inForceAt } = step;
  const isMade = routeCarries({ route }, to) && from !== to;
  const carried = inForceAt !== null || isMade ? index : fromIndex;
  return Math.max(0, carried + 1);
}

function differences(
  from: Readonly<Record<string, string>> = {},
  to: Readonly<Record<string, string>> = {},
): readonly ImageDifference[] {
  return Object.entries(to)
    .filter(([container, image]) => from[container] !== image)
    .map(([container, image]) => ({ container, from: from[container] ?? '', to: image }));
}

function requestStatus(
  { deployment }: Facts,
  state: RolloutState | undefined,
): RequestStatus | null {
  const text = deployment.annotations[marks.request];
  if (text === undefined) return null;
  const parsed = parseRequest(text);
  if (!parsed.ok) return { verb: text.slice(0, 40), by: null, taken: false };
  const { verb, by, id } = parsed.value;
  return { verb, by: by ?? null, taken: state?.requestId === id };
}

/** For scripts: 0 at rest, 1 rolled back or unable to begin, 3 under way. */
export function statusExitCode(statuses: readonly RolloutStatus[]): ExitCode {
  const phases = statuses.map(({ phase }) => phase);
  if (phases.some((phase) => ['rejected', 'invalid', 'rolling-back'].includes(phase))) {
    return exitCodes.failed;
  }
  return phases.every((phase) => phase === 'rest' || phase === 'not-opted-in')
    ? exitCodes.ok
    : exitCodes.underWay;
}
