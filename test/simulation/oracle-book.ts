import type { RouteTruth, View } from './oracle-view.ts';
import type { World } from './world.ts';

// What the oracles have seen so far.

/** One rollout, from the creation of its ReplicaSet. */
export interface Rollout {
  readonly id: string;
  readonly revision: string;
  readonly version: string;
  readonly ladder: readonly number[];
  readonly minStep: number;
  /** Index on the ladder, 0 being no weight. */
  reached: number;
  raisedAt: number;
  answeredAtRaise: number;
  readingsAtRaise: number;
  /** Of the last request that is recorded. */
  requestId: string | null;
  /** Index on the ladder that somebody has asked for, by promoting or skipping a step. */
  askedIndex: number | undefined;
  outcome: 'promotion' | 'rollback' | undefined;
  /** It has an outcome, and something was written after it: whoever writes can tell. */
  canBeTold: boolean;
}

/** What a write of a ReplicaSet goes by, and may be otherwise when it lands. */
export interface AtWrite {
  readonly version: string | undefined;
  readonly replicas: number;
  /** Percent that the route gives to the canary. */
  readonly weight: number;
}

export interface Book {
  readonly world: World;
  readonly view: View;
  readonly found: Set<string>;
  readonly rollouts: Map<string, Rollout>;
  readonly rejected: Set<string>;
  /** Verbs by id. */
  readonly requests: Map<string, string>;
  /** When the last of them was made. */
  askedAt: number;
  /** Revisions whose rollback somebody has asked for. */
  readonly unwanted: Set<string>;
  /** The gateway has not taken the route, at some time. */
  wasRefused: boolean;
  userRules: RouteTruth['rules'] | undefined;
  /** Weight below which somebody's hand has put the canary. */
  handLimit: number | undefined;
  /** The raise that we have made last: when it was recorded. */
  raiseMade: number | undefined;
  /** Somebody else has changed the weight, or taken the canary off the route, at any time. */
  handSeen: boolean;
  /** What somebody raised goes back without a reason of ours. */
  raisedByHand: boolean;
  /** Hashes to which we lead the Service because the route gives everything there. */
  readonly soundPins: Set<string>;
  /** By the version of the route that a write was asked for upon: the Deployment's, if there. */
  readonly replicasAtWrite: Map<string, number>;
  /** By the name of the ReplicaSet: what was so when the last write of it was asked for. */
  readonly atWriteOfSet: Map<string, AtWrite>;
  /** Requests that nobody could keep from being lost. */
  excusedLosses: number;
  /** Since when a state of things has lasted that may only be passing. */
  readonly since: Map<string, number>;
  /** Readings with samples that the source has given. */
  readings: number;
  lastCommit: number;
  lastCommitOf: string;
}

export const say = (book: Book, oracle: string, text: string): void => {
  book.found.add(`${oracle}: ${text}`);
};
