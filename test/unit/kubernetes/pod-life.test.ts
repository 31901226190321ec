import { describe, expect, test } from 'vitest';
import { podView } from '../../../src/kubernetes/objects.ts';
import { instant } from '../../../src/lib/units.ts';

const day = '2026-03-01T';
const moment = (time: string) => instant(Date.parse(`${day}${time}Z`));
const ended = (time: string, exitCode = 1) => ({
  terminated: { exitCode, finishedAt: `${day}${time}Z` },
});
const running = { running: { startedAt: `${day}10:00:01Z` } };

interface Given {
  readonly metadata?: object;
  readonly spec?: object;
  readonly status?: object;
}

const lifeOf = ({ metadata, spec = {}, status }: Given) => {
  const { startedAt, until, ends } = podView({
    metadata: { name: 'web-1', namespace: 'shop', ...metadata },
    spec,
    status: { phase: 'Running', startTime: `${day}09:00:00Z`, ...status },
  });
  return { startedAt, until, ends };
};

const life = { startedAt: moment('09:00:00'), until: undefined, ends: [] };
const web = (at: string) => ({ container: 'web', at: moment(at) });
const containers = (...statuses: object[]) => ({
  containerStatuses: statuses.map((status, i) => ({ name: i === 0 ? 'web' : 'proxy', ...status })),
});

describe('the life of a pod', () => {
  test.each<[what: string, given: Given, told: object]>([
    ['that runs well', { status: containers({ state: running }) }, life],
    ['that no node has taken', { status: { startTime: undefined } }, { startedAt: undefined }],
    [
      'a container of which ended badly',
      { status: containers({ state: running, lastState: ended('10:00:00') }) },
      { ends: [web('10:00:00')] },
    ],
    [
      'a container of which ended badly twice, and has not been started again',
      { status: containers({ state: ended('10:05:00', 137), lastState: ended('10:00:00') }) },
      { ends: [web('10:00:00'), web('10:05:00')] },
    ],
    [
      'a container of which ended well',
      { status: containers({ state: running, lastState: ended('10:00:00', 0) }) },
      {},
    ],
    [
      'of two containers that ended at the same time',
      { status: containers({ lastState: ended('10:00:00') }, { lastState: ended('10:00:00') }) },
      { ends: [web('10:00:00'), { container: 'proxy', at: moment('10:00:00') }] },
    ],
    [
      'an end of which nobody wrote down when it was',
      { status: containers({ lastState: { terminated: { exitCode: 1, finishedAt: null } } }) },
      {},
    ],
    [
      'with a sidecar that ended, and an init container that did',
      {
        spec: { initContainers: [{ name: 'mesh', restartPolicy: 'Always' }, { name: 'migrate' }] },
        status: {
          initContainerStatuses: [
            { name: 'mesh', lastState: ended('10:00:00') },
            { name: 'migrate', lastState: ended('09:30:00') },
          ],
        },
      },
      { ends: [{ container: 'mesh', at: moment('10:00:00') }] },
    ],
    [
      'that was told to stop, and ended with a code of its own',
      {
        metadata: { deletionTimestamp: `${day}10:10:30Z`, deletionGracePeriodSeconds: 30 },
        status: containers({ state: ended('10:10:00', 143), lastState: ended('10:05:00') }),
      },
      { until: moment('10:10:00'), ends: [web('10:05:00')] },
    ],
    [
      'that was evicted',
      { status: { phase: 'Failed', ...containers({ state: ended('10:05:00', 137) }) } },
      { until: moment('10:05:00'), ends: [web('10:05:00')] },
    ],
  ])('%s', (_what, given, told) => {
    expect(lifeOf(given)).toEqual({ ...life, ...told });
  });
});
