import { expect, test } from 'vitest';
import { createClient } from '../../../src/kubernetes/client.ts';
import { createLeaderElection, type Leadership } from '../../../src/kubernetes/lease.ts';
import { microTime } from '../../../src/kubernetes/lease-record.ts';
import { isRecord } from '../../../src/kubernetes/raw-object.ts';
import type {
  KubernetesRequest,
  KubernetesResponse,
  KubernetesTransport,
} from '../../../src/kubernetes/transport.ts';
import { type Clock, sleep } from '../../../src/lib/clock.ts';
import { OperatingError } from '../../../src/lib/errors.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { instant, type Millis, millis, minutes, seconds } from '../../../src/lib/units.ts';
import { settle, type VirtualClock, virtualClock } from '../../builders/virtual-clock.ts';

interface StoredLease {
  uid: string;
  resourceVersion: string;
  spec: Record<string, unknown>;
}

/** What happens to one request; `lose-answer` commits and then fails. */
type Fate = 'pass' | 'refuse' | 'lose-answer' | 'hang';

/** An API server that knows one Lease and checks what it is sent as strictly as the real one. */
function leaseServer() {
  let lease: StoredLease | undefined;
  let version = 100;
  let uids = 0;
  let writes = 0;
  const stored = (status: number): KubernetesResponse => ({
    status,
    headers: {},
    json: {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'haldane', namespace: 'system', ...lease },
      spec: lease?.spec,
    },
  });
  const failure = (status: number, reason: string): KubernetesResponse => ({
    status,
    headers: {},
    json: { kind: 'Status', code: status, reason, message: reason },
  });
  const commit = (spec: Record<string, unknown>, uid: string) => {
    for (const [field, value] of Object.entries(spec)) {
      if (!field.endsWith('Time')) continue;
      expect(value).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    }
    version += 1;
    writes += 1;
    lease = { uid, resourceVersion: String(version), spec };
  };
  const answer = (request: KubernetesRequest): KubernetesResponse => {
    const body = isRecord(request.body) ? request.body : {};
    const spec = isRecord(body['spec']) ? body['spec'] : {};
    if (request.method === 'POST') {
      if (lease !== undefined) return failure(409, 'AlreadyExists');
      uids += 1;
      commit(spec, `uid-${uids}`);
      return stored(201);
    }
    if (lease === undefined) return failure(404, 'NotFound');
    if (request.method === 'GET') return stored(200);
    const metadata = isRecord(body['metadata']) ? body['metadata'] : {};
    if (metadata['resourceVersion'] !== lease.resourceVersion) return failure(409, 'Conflict');
    commit({ ...lease.spec, ...spec }, lease.uid);
    return stored(200);
  };
  const transportFor = (clock: Clock, fate: () => Fate): KubernetesTransport => ({
    request: async (request, signal) => {
      await Promise.resolve();
      signal.throwIfAborted();
      const now = fate();
      const lost = new OperatingError('KUBERNETES_UNAVAILABLE', 'no answer');
      if (now === 'refuse') throw lost;
      if (now === 'hang') {
        await sleep(clock, request.timeout ?? seconds(10), signal);
        throw lost;
      }
      const answered = answer(request);
      if (now === 'lose-answer' && request.method !== 'GET') throw lost;
      return answered;
    },
    stream: () => Promise.reject(new Error('no watches here')),
  });
  return {
    transportFor,
    get lease() {
      return lease;
    },
    get writes() {
      return writes;
    },
    remove: () => {
      lease = undefined;
    },
    edit: (spec: Record<string, unknown>) => {
      if (lease === undefined) return;
      version += 1;
      lease = { ...lease, resourceVersion: String(version), spec: { ...lease.spec, ...spec } };
    },
  };
}

type LeaseServer = ReturnType<typeof leaseServer>;

function aCandidate(identity: string, server: LeaseServer, clock: VirtualClock) {
  const state = { fate: 'pass' as Fate, terms: [] as Leadership[], story: [] as string[] };
  const stop = new AbortController();
  const election = createLeaderElection({
    client: createClient(server.transportFor(clock, () => state.fate)),
    clock,
    random: seededRandom(identity.length),
    namespace: 'system',
    name: 'haldane',
    identity,
    onNotice: (notice) => state.story.push(notice.kind),
  });
  const finished = election.run(async (term) => {
    state.terms.push(term);
    await new Promise((resolve) => term.signal.addEventListener('abort', resolve));
  }, stop.signal);
  return {
    state,
    election,
    leads: () => election.leadership !== undefined && !election.leadership.signal.aborted,
    /** The right to write now, with a request of two seconds. */
    mayWrite: () => (election.leadership?.remaining() ?? 0) > seconds(2),
    stop: async () => {
      stop.abort(new Error('stop'));
      await settle();
      await finished;
    },
  };
}

function twoCandidates() {
  const clock = virtualClock();
  const server = leaseServer();
  const a = aCandidate('a', server, clock);
  const b = aCandidate('bb', server, clock);
  const leaders = () => [a, b].filter((one) => one.leads()).length;
  return { clock, server, a, b, leaders };
}
const spec = (server: LeaseServer) => server.lease?.spec ?? {};

test('MicroTime has six digits', () => {
  expect(microTime(instant(1_767_225_600_007))).toBe('2026-01-01T00:00:00.007000Z');
});

test('of two contenders one leads, and goes on leading', async () => {
  const { clock, server, a, b, leaders } = twoCandidates();
  for (let i = 0; i < 60; i += 1) {
    await clock.advance(seconds(5));
    expect(leaders()).toBe(1);
  }
  expect(a.state.terms.length + b.state.terms.length).toBe(1);
  expect(spec(server)).toMatchObject({ leaseTransitions: 1, leaseDurationSeconds: 15 });
  await a.stop();
  await b.stop();
});

test('a leader that vanishes is followed within 20 s, under a higher epoch', async () => {
  const { clock, server, a, b } = twoCandidates();
  await clock.advance(seconds(30));
  const [leader, follower] = a.leads() ? [a, b] : [b, a];
  leader.state.fate = 'hang';
  await clock.runUntil(() => follower.leads(), seconds(20));
  expect(follower.election.leadership?.epoch).toBe(2);
  expect(spec(server)['leaseTransitions']).toBe(2);
  expect(leader.mayWrite()).toBe(false);
});

test('a leader that stops gives the lease back: followed within 3 s', async () => {
  const { clock, a, b, server } = twoCandidates();
  await clock.advance(seconds(30));
  const [leader, follower] = a.leads() ? [a, b] : [b, a];
  await leader.stop();
  expect(spec(server)['holderIdentity']).toBe('');
  expect(leader.state.story).toContain('released');
  await clock.runUntil(() => follower.leads(), seconds(3));
});

test('at no moment may two write, whatever is cut and for how long', async () => {
  const random = seededRandom(7);
  const { clock, a, b } = twoCandidates();
  const fates: Fate[] = ['pass', 'pass', 'refuse', 'lose-answer', 'hang'];
  let changes = 0;
  for (let round = 0; round < 400; round += 1) {
    for (const one of [a, b]) {
      if (random() < 0.15) one.state.fate = fates[Math.floor(random() * fates.length)] ?? 'pass';
    }
    await clock.advance(millis(500 + random() * 2000));
    expect([a.mayWrite(), b.mayWrite()]).not.toEqual([true, true]);
    const epochs = [...a.state.terms, ...b.state.terms].map((term) => term.epoch);
    expect(new Set(epochs).size).toBe(epochs.length);
    changes = epochs.length;
  }
  expect(changes).toBeGreaterThan(3);
});

test('the API server away for longer than the deadline ends the term on time', async () => {
  const { clock, a, b } = twoCandidates();
  await clock.advance(seconds(30));
  const leader = a.leads() ? a : b;
  const lastTerm = leader.state.terms.at(-1);
  for (const one of [a, b]) one.state.fate = 'refuse';
  const start = clock.monotonic();
  await clock.runUntil(() => lastTerm?.signal.aborted === true, seconds(10));
  expect(clock.monotonic() - start).toBeGreaterThan(7000);
  expect(leader.state.story).toContain('lost');
  for (const one of [a, b]) one.state.fate = 'pass';
  await clock.runUntil(() => a.leads() || b.leads(), seconds(20));
});

test('a process that was stopped cannot write when it wakes, before any timer', async () => {
  const clock = virtualClock();
  const server = leaseServer();
  const a = aCandidate('a', server, clock);
  await clock.advance(seconds(10));
  expect(a.mayWrite()).toBe(true);
  const { writes } = server;
  clock.stall(seconds(20));
  expect(a.mayWrite()).toBe(false);
  await clock.advance(millis(1));
  expect(server.writes).toBe(writes);
  expect(a.state.terms[0]?.signal.aborted).toBe(true);
});

test('a deleted Lease ends the term, and the next one has a higher epoch', async () => {
  const { clock, server, a, b } = twoCandidates();
  await clock.advance(seconds(30));
  const term = [...a.state.terms, ...b.state.terms][0];
  server.remove();
  await clock.runUntil(() => term?.signal.aborted === true, seconds(3));
  await clock.runUntil(() => a.leads() || b.leads(), seconds(20));
  expect(spec(server)['leaseTransitions']).toBe(2);
});

test.each<[what: string, edit: Record<string, unknown>]>([
  ['another took it', { holderIdentity: 'intruder', leaseTransitions: 5 }],
  ['the epoch was reset', { leaseTransitions: 0 }],
])('the leader does not fight when %s', async (_what, edit) => {
  const clock = virtualClock();
  const server = leaseServer();
  const a = aCandidate('a', server, clock);
  await clock.advance(seconds(10));
  server.edit(edit);
  const { writes } = server;
  await clock.runUntil(() => a.state.terms[0]?.signal.aborted === true, seconds(3));
  expect(server.writes).toBe(writes);
});

test('a label put on the Lease by somebody does not end the term', async () => {
  const clock = virtualClock();
  const server = leaseServer();
  const a = aCandidate('a', server, clock);
  await clock.advance(seconds(10));
  server.edit({});
  await clock.advance(minutes(2));
  expect(a.state.terms).toHaveLength(1);
  expect(a.mayWrite()).toBe(true);
});

test('a lost answer to a claim or a renewal does not cost a term of waiting', async () => {
  const clock = virtualClock();
  const server = leaseServer();
  const a = aCandidate('a', server, clock);
  a.state.fate = 'lose-answer';
  await clock.advance(seconds(1));
  a.state.fate = 'pass';
  await clock.runUntil(() => a.leads(), seconds(3));
  expect(a.election.leadership?.epoch).toBe(2);
  a.state.fate = 'lose-answer';
  await clock.advance(seconds(4));
  a.state.fate = 'pass';
  await clock.advance(minutes(1));
  expect(a.state.terms).toHaveLength(1);
});

test.each<[forged: string, edit: Record<string, unknown>, within: Millis]>([
  ['epoch', { holderIdentity: '', leaseTransitions: 2_147_483_647 }, seconds(5)],
  ['duration', { holderIdentity: 'x', leaseDurationSeconds: 2_000_000_000 }, seconds(65)],
  ['renewTime', { holderIdentity: 'x', renewTime: '2999-01-01T00:00:00.000000Z' }, seconds(18)],
  ['everything', { holderIdentity: 7, leaseTransitions: 'many' }, seconds(5)],
])('a forged %s does not lock us out', async (_forged, edit, within) => {
  const { clock, server, a, b } = twoCandidates();
  await clock.advance(seconds(10));
  server.edit(edit);
  await clock.advance(seconds(3));
  await clock.runUntil(() => a.leads() || b.leads(), within);
});

test('the wall clock decides nothing: an hour back or forth changes no leader', async () => {
  const { clock, a, b, leaders } = twoCandidates();
  await clock.advance(seconds(10));
  for (const jump of [minutes(60), minutes(-120)]) {
    clock.shiftWall(jump);
    await clock.advance(minutes(1));
    expect(leaders()).toBe(1);
  }
  expect(a.state.terms.length + b.state.terms.length).toBe(1);
});

test('work that ends by itself gives the lease back', async () => {
  const clock = virtualClock();
  const server = leaseServer();
  const election = createLeaderElection({
    client: createClient(server.transportFor(clock, () => 'pass')),
    clock,
    random: seededRandom(1),
    namespace: 'system',
    name: 'haldane',
    identity: 'a',
  });
  const stop = new AbortController();
  const finished = election.run(() => Promise.resolve(), stop.signal);
  await clock.advance(seconds(1));
  expect(spec(server)['holderIdentity']).toBe('');
  stop.abort(new Error('stop'));
  await settle();
  await finished;
});
