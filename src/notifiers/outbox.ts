import { OperatingError } from '../lib/errors.ts';
import type { Millis } from '../lib/units.ts';
import type { Notice } from '../rollout/notice.ts';
import { createLane, type Lane, type LaneParts, type Settlement } from './lane.ts';
import type { Notifier } from './notifier.ts';

export interface OutboxParts extends Omit<LaneParts, 'onEnded'> {
  readonly notifiers: readonly Notifier[];
  /** Names of the notifiers for a notice that names none. */
  readonly defaults: readonly string[];
  /**
   * Called once per enqueued id when every notifier has ended: `delivered` if all delivered it. Not
   * called for what is still waiting at {@link Outbox.stop}: the next process is to enqueue it
   * again.
   */
  readonly onSettled: (noticeId: string, settlement: Settlement) => void;
}

/** Takes notices and answers at once; one lane per notifier delivers them. Nothing here throws. */
export interface Outbox {
  enqueue(notice: Notice): void;
  /**
   * Gives what waits one more try each within `bound`, then stops. Resolves to the number left
   * over.
   */
  stop(bound: Millis): Promise<number>;
}

/** What is still out at some notifier. */
interface Open {
  notifiers: number;
  settlement: Settlement;
}

export function createOutbox(parts: OutboxParts): Outbox {
  const { observer, defaults, limits } = parts;
  const open = new Map<string, Open>();
  const settled = new Map<string, Settlement>();
  let stopping = false;

  /** In a microtask: whoever enqueues is never called back from within its own call. */
  const tell = (id: string, settlement: Settlement) =>
    queueMicrotask(() => {
      try {
        parts.onSettled(id, settlement);
      } catch (error) {
        observer.callbackFailed(error);
      }
    });
  const end = (notice: Notice, settlement: Settlement) => {
    const rest = open.get(notice.id);
    if (rest === undefined) return;
    rest.notifiers -= 1;
    if (settlement === 'given-up') rest.settlement = settlement;
    if (rest.notifiers > 0) return;
    open.delete(notice.id);
    remember(settled, notice.id, rest.settlement, limits.remembered);
    tell(notice.id, rest.settlement);
  };
  const lanes = new Map<string, Lane>(
    parts.notifiers.map((to) => [to.name, createLane(to, { ...parts, onEnded: end })]),
  );
  const events = new Map(parts.notifiers.map((to) => [to.name, to.events]));

  return {
    enqueue: (notice) => {
      if (stopping || open.has(notice.id)) return;
      const before = settled.get(notice.id);
      if (before !== undefined) return tell(notice.id, before);
      const names = [...new Set(notice.notifiers.length > 0 ? notice.notifiers : defaults)];
      const meant = names.filter((name) => events.get(name)?.includes(notice.kind) ?? true);
      // One more than there are notifiers: the last one is this call, so that nothing settles
      // before all have it.
      open.set(notice.id, { notifiers: meant.length + 1, settlement: 'delivered' });
      for (const name of meant) {
        const lane = lanes.get(name);
        if (lane !== undefined) lane.add(notice);
        else {
          observer.tried(name, notice, 'dropped', unknownNotifier());
          end(notice, 'given-up');
        }
      }
      end(notice, 'delivered');
    },
    stop: async (bound: Millis) => {
      stopping = true;
      const left = await Promise.all([...lanes.values()].map((lane) => lane.stop(bound)));
      return left.reduce((sum, n) => sum + n, 0);
    },
  };
}

const unknownNotifier = () =>
  new OperatingError('CONFIG_INVALID', 'no notifier of this name', { retry: 'never' });

/** Keeps the newest `most` entries: a Map gives its keys in the order of their insertion. */
function remember<T>(in_: Map<string, T>, key: string, value: T, most: number): void {
  in_.set(key, value);
  const oldest = in_.keys().next();
  if (in_.size > most && oldest.done !== true) in_.delete(oldest.value);
}
