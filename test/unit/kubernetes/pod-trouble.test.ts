import { expect, test } from 'vitest';
import { podView } from '../../../src/kubernetes/objects.ts';
import { instant } from '../../../src/lib/units.ts';

const finishedAt = '2026-03-01T10:00:00Z';
const endedAt = instant(Date.parse(finishedAt));
const crash = { exitCode: 1, reason: 'Error', finishedAt };

/** What is seen of a pod whose only container has this status. */
const troubleOf = (status: object) =>
  podView({
    metadata: { name: 'web-1', namespace: 'shop' },
    status: { containerStatuses: [{ name: 'web', restartCount: 1, ...status }] },
  }).trouble;

test.each([
  ['runs', { state: { running: {} } }, undefined],
  [
    'has crashed once and runs',
    { state: { running: {} }, lastState: { terminated: crash } },
    { kind: 'crashed', message: 'container web crashed with exit code 1', endedAt },
  ],
  [
    'crashes again and again',
    { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: crash } },
    {
      kind: 'crashed',
      message: 'container web crashed with exit code 1, CrashLoopBackOff',
      endedAt,
    },
  ],
  [
    'took too much memory, at a time that nobody wrote down',
    { state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } },
    { kind: 'out-of-memory', message: 'container web was killed: out of memory (OOMKilled)' },
  ],
  [
    'ended well',
    { state: { running: {} }, lastState: { terminated: { exitCode: 0, finishedAt } } },
    undefined,
  ],
  [
    'has no image',
    { state: { waiting: { reason: 'ErrImagePull', message: 'not found' } } },
    { kind: 'image-pull', message: 'container web: ErrImagePull: not found' },
  ],
])('a container that %s', (_name, status, trouble) => {
  expect(troubleOf(status)).toEqual(trouble);
});
