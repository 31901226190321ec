import { othersBad } from './oracle-answers.ts';
import { type Book, say } from './oracle-book.ts';
import type { DeploymentTruth } from './oracle-view.ts';

// What must hold when all has come to rest.

export interface RestOptions {
  /** Deaths between a delivery and its record: each may tell people once more. */
  readonly repeats?: number;
  /** Nothing of ours may be written so long before the end, ms. */
  readonly quiet?: number;
  /** Percent that somebody's hand gives a canary whose weight has been lowered to 1 %. */
  readonly byHand?: number;
}

/**
 * Bad answers that a rollout may cost before it is rolled back, at 1,000 requests/s: two seconds of
 * 10 %, the greatest first weight, until the flinch is in force, and five of the 1 % after it, or
 * of what somebody makes of that.
 */
const mostExposure = (byHand: number): number => 2 * 100 + 5 * 10 * Math.max(1, byHand);

export function atEnd(book: Book, { repeats = 0, quiet = 5000, byHand = 0 }: RestOptions): void {
  const { world } = book;
  if (!world.isAtRest()) say(book, 'L1 stuck', 'something of a rollout is left');
  if (world.clock.now() - book.lastCommit < quiet)
    say(book, 'S10 at rest', `${book.lastCommitOf} is still being written`);
  if (world.traffic.lost > book.excusedLosses) say(book, 'lost requests', `${world.traffic.lost}`);
  for (const [version, { total, bad }] of world.traffic.answered) {
    if (bad > mostExposure(byHand) && bad / total > 0.3 && othersBad(book, version) < 0.02)
      say(book, 'L2 exposure', `${bad} bad answers of ${version}`);
  }
  if (book.view.deployment() !== undefined) endOfWorkload(book);
  endOfNotices(book, repeats);
}

function endOfWorkload(book: Book): void {
  const deployment = book.view.deployment() as DeploymentTruth;
  const active = book.view.sets().filter(({ replicas }) => replicas > 0);
  const [only] = active;
  if (deployment.replicas > 0 && active.length !== 1)
    say(book, 'L1 end', `${active.length} ReplicaSets have pods`);
  if (only === undefined) return;
  if (only.replicas !== deployment.replicas)
    say(book, 'L1 end', `${only.replicas} of ${deployment.replicas} pods`);
  if (only.version !== deployment.version && book.rejected.size === 0 && deployment.enabled)
    say(book, 'L1 end', `${only.version} serves and ${deployment.version} was asked for`);
  if (book.rejected.has(only.hash)) say(book, 'S4 rejected', 'a rejected revision serves');
  const last = [...book.rollouts.values()].at(-1);
  const told = deployment.progressing;
  const isRejected = only.version !== deployment.version && deployment.enabled;
  if (isRejected && (told?.status !== 'False' || told.reason !== 'ProgressDeadlineExceeded'))
    say(book, 'L1 status', '`kubectl rollout status` does not tell of the rejection');
  if (last?.outcome === 'promotion' && !isRejected && told?.status !== 'True')
    say(book, 'L1 status', '`kubectl rollout status` does not tell of the promotion');
}

/** Whoever was told was told the truth, and all that ended is told. */
function endOfNotices(book: Book, repeats: number): void {
  const ends = book.world.notices.filter(({ kind }) => kind === 'promotion' || kind === 'rollback');
  let more = 0;
  for (const { id, outcome, canBeTold } of book.rollouts.values()) {
    if (outcome === undefined) continue;
    const told = ends.filter((notice) => notice.id === `${id}/${outcome}`).length;
    if (told === 0 && (canBeTold || book.view.deployment() !== undefined))
      say(book, 'notices', `nobody was told of a ${outcome}`);
    more += Math.max(0, told - 1);
  }
  if (more > repeats) say(book, 'notices', `told ${more} times more than once`);
  const known = new Set([...book.rollouts.values()].map(({ id, outcome }) => `${id}/${outcome}`));
  for (const { id, kind } of ends) {
    if (!known.has(id)) say(book, 'notices', `told of a ${kind} that has not happened`);
  }
}
