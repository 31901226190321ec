import { type Instant, instant, parseRfc3339 } from '../lib/units.ts';
import type { PodView } from '../rollout/views.ts';
import { isRecord, type JsonRecord, listAt, type RawObject, recordAt } from './raw-object.ts';

type PodLife = Pick<PodView, 'startedAt' | 'until' | 'ends'>;

/**
 * From when to when a pod runs, and which of its containers ended other than well meanwhile.
 * Containers are the ordinary ones and init containers that are restarted for as long as the pod
 * lives (sidecars); an init container that fails keeps its pod from starting, which is another
 * matter.
 */
export function podLife(raw: RawObject): PodLife {
  const status = recordAt(raw, 'status');
  const sidecars = new Set(
    listAt(recordAt(raw, 'spec'), 'initContainers')
      .filter((container) => container['restartPolicy'] === 'Always')
      .map((container) => container['name']),
  );
  const containers = [
    ...listAt(status, 'initContainerStatuses').filter(({ name }) => sidecars.has(name)),
    ...listAt(status, 'containerStatuses'),
  ];
  const ends = containers.flatMap(endsOf);
  const deletedAt = deletionAskedAt(raw);
  return {
    startedAt: momentOf(status['startTime']),
    until: deletedAt ?? (isOver(status) ? lastOf(ends) : undefined),
    // What is told to stop may well end with a code of its own.
    ends: deletedAt === undefined ? ends : ends.filter(({ at }) => at < deletedAt),
  };
}

/** `deletionTimestamp` is when the grace period is over, not when it was asked for. */
function deletionAskedAt({ metadata }: RawObject): Instant | undefined {
  const over = momentOf(metadata.deletionTimestamp);
  const grace = metadata['deletionGracePeriodSeconds'];
  if (over === undefined) return undefined;
  return instant(over - (typeof grace === 'number' ? grace : 0) * 1000);
}

const isOver = ({ phase }: JsonRecord): boolean => phase === 'Failed' || phase === 'Succeeded';

const lastOf = (ends: PodLife['ends']): Instant | undefined =>
  ends.length === 0 ? undefined : instant(Math.max(...ends.map(({ at }) => at)));

function endsOf(container: JsonRecord): PodLife['ends'] {
  const name = String(container['name']);
  return ['lastState', 'state'].flatMap((where) => {
    const ended = recordAt(container, where)['terminated'];
    if (!isRecord(ended) || ended['exitCode'] === 0) return [];
    const at = momentOf(ended['finishedAt']);
    return at === undefined ? [] : [{ container: name, at }];
  });
}

const momentOf = (text: unknown): Instant | undefined =>
  typeof text === 'string' ? parseRfc3339(text) : undefined;
