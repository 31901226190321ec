import { afterEach, expect, test, vi } from 'vitest';
import { isDnsName } from '../../../src/kubernetes/api-path.ts';
import { createClient } from '../../../src/kubernetes/client.ts';
import { clipBytes, type EventInput, eventName } from '../../../src/kubernetes/event-body.ts';
import { createEventRecorder, type EventRecorderOptions } from '../../../src/kubernetes/events.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { millis, seconds } from '../../../src/lib/units.ts';
import {
  type Answer,
  type StubApiServer,
  sendJson,
  startStubApiServer,
  statusBody,
} from './stub-api-server.ts';

const servers: StubApiServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const anEvent = (change: Partial<EventInput> = {}): EventInput => ({
  subject: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web', uid: 'u1' },
  type: 'Warning',
  reason: 'RolledBack',
  message: 'errors 4.1 % against 0.2 %',
  ...change,
});

/** A server that keeps Events; `fault` may answer first. */
async function aRecorder(
  change: Partial<EventRecorderOptions> = {},
  fault: (...args: Parameters<Answer>) => boolean = () => false,
) {
  const stored = new Map<string, Record<string, unknown>>();
  const server = await startStubApiServer((request, response) => {
    if (fault(request, response)) return;
    const body = request.body === '' ? {} : (JSON.parse(request.body) as Record<string, unknown>);
    const last = request.path.split('/').at(-1) ?? '';
    const isCreate = request.method === 'POST';
    const name = isCreate ? (body['metadata'] as { name: string }).name : last;
    const found = stored.get(name);
    if (isCreate && found !== undefined) {
      sendJson(response, 409, statusBody(409, 'AlreadyExists', 'exists'));
      return;
    }
    if (!isCreate && found === undefined) {
      sendJson(response, 404, statusBody(404, 'NotFound', 'gone'));
      return;
    }
    const metadata = { name, namespace: 'shop', uid: name, resourceVersion: '1' };
    const object = { ...found, ...body, metadata };
    stored.set(name, object);
    sendJson(response, isCreate ? 201 : 200, object);
  });
  servers.push(server);
  const dropped: string[] = [];
  const another = () =>
    createEventRecorder({
      client: createClient(server.transport()),
      clock: systemClock,
      random: seededRandom(1),
      instance: 'haldane-0',
      onDropped: (_event, because) => dropped.push(because),
      ...change,
    });
  const recorder = another();
  const written = (count: number) =>
    vi.waitFor(() => {
      expect(recorder.pending).toBe(0);
      expect(stored.size).toBe(count);
    });
  return { recorder, another, server, stored, dropped, written };
}

test('writes what kubectl describe shows', async () => {
  const { recorder, stored, written, server } = await aRecorder();
  recorder.record(anEvent());
  await written(1);
  const [event] = stored.values();
  expect(event).toMatchObject({
    involvedObject: { kind: 'Deployment', name: 'web', uid: 'u1' },
    type: 'Warning',
    reason: 'RolledBack',
    message: 'errors 4.1 % against 0.2 %',
    source: { component: 'haldane' },
    count: 1,
  });
  expect(event?.['firstTimestamp']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(server.requests[0]?.path).toBe('/api/v1/namespaces/shop/events');
});

test('equal events are one with a count, also after a restart and when it expired', async () => {
  const { recorder, another, stored, written } = await aRecorder();
  const counted = (count: number) =>
    vi.waitFor(() => expect([...stored.values()][0]?.['count']).toBe(count));
  for (let i = 0; i < 5; i += 1) recorder.record(anEvent());
  await counted(5);
  const next = another();
  next.record(anEvent());
  await counted(6);
  next.record(anEvent());
  await counted(7);
  stored.clear();
  next.record(anEvent());
  await written(1);
  await counted(8);
});

test('an occurrence with an id is recorded once, also after a restart', async () => {
  const { recorder, another, stored, written, server } = await aRecorder();
  recorder.record(anEvent({ id: 'r1/rolled-back' }));
  recorder.record(anEvent({ id: 'r1/rolled-back', message: 'in other words' }));
  recorder.record(anEvent({ id: 'r2/rolled-back' }));
  await written(2);
  const next = another();
  next.record(anEvent({ id: 'r1/rolled-back' }));
  await vi.waitFor(() => expect(server.requests).toHaveLength(3));
  await next.drain(seconds(1));
  expect([...stored.values()].map((event) => event['count'])).toEqual([1, 1]);
});

test('passing faults are tried again, and the caller never notices', async () => {
  let faults = 2;
  const { recorder, dropped, written } = await aRecorder({}, (_request, response) => {
    if (faults === 0) return false;
    faults -= 1;
    if (faults === 1) response.destroy();
    else sendJson(response, 500, statusBody(500, 'InternalError', 'etcd'));
    return true;
  });
  recorder.record(anEvent());
  await written(1);
  expect(dropped).toEqual([]);
});

test('a refusal drops the event at once and says so', async () => {
  const { recorder, dropped, server } = await aRecorder({}, (_request, response) => {
    sendJson(response, 403, statusBody(403, 'Forbidden', 'no events for you'));
    return true;
  });
  recorder.record(anEvent());
  await vi.waitFor(() => expect(recorder.pending).toBe(0));
  expect(dropped).toEqual(['create Event in shop: no events for you']);
  expect(server.requests).toHaveLength(1);
});

test('a flood about one object is cut, another object is heard', async () => {
  const { recorder, dropped, written } = await aRecorder();
  for (let i = 0; i < 50; i += 1) recorder.record(anEvent({ message: `flap ${i}` }));
  const other = { ...anEvent().subject, name: 'other', uid: 'u2' };
  recorder.record(anEvent({ subject: other }));
  await written(21);
  expect(dropped).toHaveLength(30);
});

test('the queue is bounded, and draining gives up in time', async () => {
  const { recorder, dropped } = await aRecorder({}, () => true);
  for (let i = 0; i < 1010; i += 1) {
    recorder.record(anEvent({ subject: { ...anEvent().subject, uid: `u${i}` } }));
  }
  expect(recorder.pending).toBe(1000);
  expect(dropped).toHaveLength(10);
  const start = Date.now();
  await recorder.drain(millis(100));
  expect(Date.now() - start).toBeLessThan(1000);
  recorder.record(anEvent());
  expect(dropped.at(-1)).toBe('shutting down');
});

test.each<[what: string, name: string]>([
  ['short', 'web'],
  ['as long as may be', 'a'.repeat(253)],
  ['with a dot where it is cut', `${'a'.repeat(229)}.${'b'.repeat(20)}`],
])('the name of an Event about a name that is %s is a legal name', (_what, name) => {
  const event = anEvent({ subject: { ...anEvent().subject, name } });
  expect(isDnsName(eventName(event))).toBe(true);
  expect(eventName(event).length).toBeLessThanOrEqual(253);
});

test.each<[text: string, limit: number, clipped: string]>([
  ['abcdef', 6, 'abcdef'],
  ['abcdefg', 6, 'abc…'],
  ['üüüü', 6, 'ü…'],
  ['😀😀', 7, '😀…'],
  ['a\ud800', 9, 'a\ufffd'],
])('%j in %i bytes', (text, limit, clipped) => {
  expect(clipBytes(text, limit)).toBe(clipped);
  expect(Buffer.byteLength(clipBytes(text, limit))).toBeLessThanOrEqual(limit);
});
