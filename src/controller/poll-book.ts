import { type ExplainedPoll, type PollRecord, plainPoll } from '../analysis/explained.ts';
import type { Instant } from '../lib/units.ts';
import type { RolloutState } from '../rollout/state.ts';

/** Polls kept of one rollout. */
export const pollsKept = 200;
/** Rollouts that have ended and can still be looked back at, over all Deployments. */
export const endedKept = 20;

/** Which rollout of a Deployment the polls belong to. */
export interface PollsOf {
  readonly revision: string;
  readonly attempt: number;
  readonly startedAtMillis: Instant;
}

export interface RecordedPolls extends PollsOf {
  readonly ended: boolean;
  /** Oldest first. */
  readonly polls: readonly ExplainedPoll[];
}

/**
 * The last polls of each rollout under way, and of a few that have ended, for people to look at. In
 * memory alone: a new leader begins an empty one, and no decision reads it.
 */
export interface PollBook {
  /** Keys are `namespace/name`. Another rollout of the same Deployment begins a new page. */
  add(key: string, of: PollsOf, poll: PollRecord): void;
  end(key: string): void;
  /** The Deployment is gone. */
  drop(key: string): void;
  read(key: string): RecordedPolls | undefined;
  /** The last poll of just this rollout. */
  last(key: string, of: PollsOf): PollRecord | undefined;
}

interface Page {
  readonly of: PollsOf;
  polls: readonly PollRecord[];
  ended: boolean;
}

export function createPollBook(): PollBook {
  const pages = new Map<string, Page>();
  return {
    add: (key, of, poll) => {
      const found = pages.get(key);
      const page = found !== undefined && isSame(found.of, of) ? found : open(of);
      page.polls = [...page.polls, poll].slice(-pollsKept);
      pages.set(key, page);
    },
    end: (key) => {
      const page = pages.get(key);
      if (page === undefined || page.ended) return;
      page.ended = true;
      // Last in the order of insertion: the first ended page is the one that ended first.
      pages.delete(key);
      pages.set(key, page);
      const ended = [...pages].filter(([, one]) => one.ended);
      for (const [oldest] of ended.slice(0, -endedKept)) pages.delete(oldest);
    },
    drop: (key) => {
      pages.delete(key);
    },
    read: (key) => {
      const page = pages.get(key);
      if (page === undefined) return undefined;
      return { ...page.of, ended: page.ended, polls: page.polls.map(plainPoll) };
    },
    last: (key, of) => {
      const page = pages.get(key);
      return page !== undefined && isSame(page.of, of) ? page.polls.at(-1) : undefined;
    },
  };
}

/** Names the page of a rollout. */
export const pollsOf = (
  state: Pick<RolloutState, 'revision' | 'attempt' | 'startedAt'>,
): PollsOf => ({
  revision: state.revision,
  attempt: state.attempt,
  startedAtMillis: state.startedAt,
});

const open = (of: PollsOf): Page => ({ of, polls: [], ended: false });

const isSame = (a: PollsOf, b: PollsOf): boolean =>
  a.revision === b.revision && a.attempt === b.attempt && a.startedAtMillis === b.startedAtMillis;
