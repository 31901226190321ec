import { type Instant, instant, type Millis, millis, minutes, seconds } from '../lib/units.ts';
import type { CheckPrior, Counts } from './counts.ts';

/** A container that ended other than well: with another exit code than 0. */
export interface AbnormalEnd {
  readonly container: string;
  /** By the clock of its node, in whole seconds. */
  readonly at: Instant;
}

/** What the watch tells of a pod now. */
export interface SeenPod {
  readonly uid: string;
  readonly restarts: number;
  /** Undefined until a node has it: nothing of it runs. */
  readonly startedAt: Instant | undefined;
  /** Since when it is to be deleted or will not run again. */
  readonly until: Instant | undefined;
  /** The last one or two of each container; Kubernetes keeps no more. */
  readonly ends: readonly AbnormalEnd[];
}

/** What is remembered of a pod, which may be gone. */
interface PodLife {
  readonly startedAt: Instant;
  readonly until: Instant | undefined;
  readonly ends: readonly AbnormalEnd[];
}

type Arm = ReadonlyMap<string, PodLife>;

/** Pods of both arms by uid, with what was seen of them earlier. */
export interface PodLives {
  readonly canary: Arm;
  readonly stable: Arm;
}

export const noLives: PodLives = { canary: new Map(), stable: new Map() };

/**
 * A poll up to `at` counts what happened until so long before `at`. By then the watch has told of
 * it, so that a poll counts the same whenever it is made, now or by a controller that replays it.
 */
export const restartLag = seconds(10);

/** What lies further back is not asked of the source either (`metric-sources/poll-stream.ts`). */
const longestMemory = minutes(120);

/**
 * Adds what the watch tells now to what is remembered, and drops what no poll after `countedTo`
 * needs. Kubernetes tells the last end of a container and no earlier one, and nothing of a pod that
 * is gone: a controller that was restarted cannot see again a container's end before its last one,
 * nor any of a pod that was deleted meanwhile. It counts fewer restarts then, of either arm, and
 * likewise where the watch, or the clock of a node, is behind by more than {@link restartLag}.
 */
export function rememberLives(
  known: PodLives,
  seen: { readonly canary: readonly SeenPod[]; readonly stable: readonly SeenPod[] },
  countedTo: Instant,
  now: Instant,
): PodLives {
  const from = spanStart(instant(Math.max(countedTo, now - longestMemory)));
  return {
    canary: rememberArm(known.canary, seen.canary, from, now),
    stable: rememberArm(known.stable, seen.stable, from, now),
  };
}

function rememberArm(known: Arm, seen: readonly SeenPod[], from: Instant, now: Instant): Arm {
  const lives = new Map<string, PodLife>();
  const present = new Set(seen.map(({ uid }) => uid));
  for (const [uid, life] of known) {
    // Gone without a word, e.g. deleted by force: it lived until it was missed.
    if (!present.has(uid)) lives.set(uid, { ...life, until: life.until ?? now });
  }
  for (const { uid, startedAt, until, ends } of seen) {
    if (startedAt === undefined) continue;
    const before = known.get(uid)?.ends ?? [];
    const isNew = (end: AbnormalEnd) =>
      before.every(({ container, at }) => container !== end.container || at !== end.at);
    const all = [...before, ...ends.filter(isNew)].filter(({ at }) => at > from);
    lives.set(uid, { startedAt, until, ends: all });
  }
  for (const [uid, { until }] of lives) if (until !== undefined && until <= from) lives.delete(uid);
  return lives;
}

/**
 * Restarts (as bad ones) and pod-seconds of both arms for the poll of (since, at], both moved back
 * by {@link restartLag} to whole seconds: ends have no others, so nothing moves from one poll to
 * another, and pod-seconds of polls that follow each other add up exactly. Undefined where stable
 * has none of them: there is nothing to compare with.
 */
export function restartCounts(
  lives: PodLives,
  { since, at }: { readonly since: Instant; readonly at: Instant },
): Counts | undefined {
  const [from, to] = [spanStart(since), spanStart(at)];
  const [nc, xc] = countArm(lives.canary, from, to);
  const [ns, xs] = countArm(lives.stable, from, to);
  return ns === 0 ? undefined : { nc, xc, ns, xs };
}

const wholeSecond = (moment: number): Instant => instant(Math.floor(moment / 1000) * 1000);
const spanStart = (moment: Instant): Instant => wholeSecond(moment - restartLag);

function countArm(arm: Arm, from: Instant, to: Instant): readonly [podSeconds: number, number] {
  let [podSeconds, ended] = [0, 0];
  for (const { startedAt, until, ends } of arm.values()) {
    const last = until === undefined ? to : Math.min(to, wholeSecond(until));
    podSeconds += Math.max(0, last - Math.max(from, wholeSecond(startedAt))) / 1000;
    for (const { at } of ends) if (at > from && at <= to) ended += 1;
  }
  return [podSeconds, ended];
}

/** What these pods have been through together, as far as they have begun. */
export function lifelong(
  pods: readonly Pick<SeenPod, 'startedAt' | 'restarts'>[],
  now: Instant,
): { readonly age: Millis; readonly restarts: number } {
  let [age, restarts] = [0, 0];
  for (const pod of pods) {
    if (pod.startedAt !== undefined) age += Math.max(0, now - pod.startedAt);
    restarts += pod.restarts;
  }
  return { age: millis(age), restarts };
}

/**
 * Restarts per pod-second over the lives of these pods: what is expected of stable before the first
 * poll. None where none has begun.
 */
export function restartPrior(pods: readonly SeenPod[], now: Instant): CheckPrior {
  const { age, restarts } = lifelong(pods, now);
  return age === 0 ? {} : { badRates: [(1000 * restarts) / age] };
}
