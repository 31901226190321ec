import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CheckRecord, PollRecord } from '../../src/analysis/explained.ts';
import { createPollBook } from '../../src/controller/poll-book.ts';
import { startMetricsServer } from '../../src/http/metrics-server.ts';
import { resources } from '../../src/kubernetes/resources.ts';
import { instant, percent, seconds } from '../../src/lib/units.ts';
import {
  type CliCluster,
  layCanary,
  layDeployment,
  never,
  runCli,
  startCliCluster,
} from '../builders/cli-cluster.ts';

// The command line against the embedded API server, with the pod proxy played by a server in front
// of it: what it passes on is answered by the controller's own server.

let cluster: CliCluster;
let controller: Awaited<ReturnType<typeof startMetricsServer>>;
let front: Server;
let kubeconfig: string;
const book = createPollBook();
/** Status and body with which the API server answers for the pod, if it does. */
let refusal: readonly [status: number, message: string] | undefined;
const proxied: string[] = [];

const leader = 'haldane-7d4b9c-x2x4z';
const proxyPath = new RegExp(
  `^/api/v1/namespaces/haldane/pods/(${leader})/proxy(/rollouts/[^?]*)$`,
);

beforeAll(async () => {
  cluster = await startCliCluster();
  controller = await startMetricsServer({
    registry: new Registry(),
    notReady: () => null,
    polls: (key) => book.read(key),
    port: 0,
    host: '127.0.0.1',
  });
  const config = readFileSync(cluster.kubeconfig, 'utf8');
  const behind = new URL(/https?:\/\/[^"\s]+/.exec(config)?.[0] ?? '');
  front = createServer((incoming, outgoing) => {
    const place = proxyPath.exec(incoming.url ?? '')?.[2];
    if (place !== undefined) proxied.push(place);
    if (place !== undefined && refusal !== undefined) {
      const [code, message] = refusal;
      outgoing.writeHead(code, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify({ kind: 'Status', status: 'Failure', message, code }));
      return;
    }
    const to = place === undefined ? behind : new URL(`http://127.0.0.1:${controller.port}`);
    const { method, headers, url } = incoming;
    const options = { host: to.hostname, port: to.port, method, headers, path: place ?? url };
    const passed = httpRequest(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const address = front.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  kubeconfig = `${cluster.kubeconfig}-front`;
  writeFileSync(kubeconfig, config.replace(behind.origin, `http://127.0.0.1:${port}`));
  const spec = { holderIdentity: `${leader}-1-k3j2h1` };
  const path = '/api/v1/namespaces';
  const to = { method: 'POST', path, body: { metadata: { name: 'haldane' } } } as const;
  await cluster.transport.request(to, never);
  const lease = { metadata: { name: 'haldane' }, spec };
  await cluster.client.create(resources.leases, 'haldane', lease, {}, never);
});
afterAll(async () => {
  front.close();
  front.closeAllConnections();
  controller.server.close();
  controller.server.closeAllConnections();
  await cluster.close();
});
beforeEach(() => {
  refusal = undefined;
  proxied.length = 0;
});

const explain = (...args: readonly string[]) =>
  runCli(['explain', ...args, '--kubeconfig', kubeconfig]);

const aPoll = (secondsAgo: number, change: Partial<PollRecord> = {}): PollRecord => ({
  atMillis: instant(Date.now() - seconds(secondsAgo)),
  weightPercent: percent(5),
  step: 2,
  settling: false,
  verdict: 'inconclusive',
  because: 'errors: evidence 3.1 of 20',
  evidence: 7.4,
  evidenceNeeded: 100,
  blame: 'errors',
  requestsNeeded: 1420,
  secondsToNextStep: 284,
  checks: [
    {
      check: 'errors',
      dryRun: false,
      boundSeconds: null,
      canary: { bad: 2, total: 124 },
      stable: { bad: 9, total: 2301 },
      evidence: 7.4,
      promotion: 3.1,
      promotionNeeded: 20,
      excess: () => ({ low: -0.004, high: 0.041 }),
    },
  ],
  ...change,
});

async function rolling(name: string, polls: readonly PollRecord[]): Promise<string> {
  const annotations = { 'haldane.dev/enabled': 'true' };
  const deployment = await layDeployment(cluster, name, annotations);
  const { revision } = await layCanary(cluster, deployment);
  const of = { revision, attempt: 1, startedAtMillis: instant(0) };
  for (const poll of polls) book.add(`default/${name}`, of, poll);
  return revision;
}

describe('explain asks the leader for the last polls', () => {
  test('a table of them, and the interval in words', async () => {
    const settling = aPoll(9, { settling: true, requestsNeeded: null, secondsToNextStep: null });
    await rolling('asked', [settling, aPoll(4)]);
    const { code, out, err } = await explain('asked');
    expect([code, err]).toEqual([0, '']);
    expect(proxied).toEqual(['/rollouts/default/asked/polls']);
    const lines = out.split('\n');
    const at = lines.indexOf('last polls');
    expect(lines[at + 1]).toMatch(/^ {2}AGO +WEIGHT +TELLS MOST +CANARY +STABLE +EXCESS +EVIDENCE/);
    expect(lines[at + 2]).toMatch(/^ {2}\d+ s +5 % … .* not known$/);
    const cells = (lines[at + 3] ?? '').trim().split(/ {2,}/);
    expect(cells.slice(1)).toEqual([
      '5 %',
      'errors',
      '2 of 124 1.6 %',
      '9 of 2,301 0.39 %',
      '−0.40 … +4.1 pts',
      '7.4 of 100',
      '1,420 requests',
      'in 4 min 44 s',
    ]);
    expect(out).toContain(
      '  errors: 2 of 124 bad in the canary, 9 of 2,301 bad in stable; its bad share is ' +
        'between 0.40 points below and 4.1 points above stable (each end wrong at most',
    );
    expect(out).toContain('the next step needs about 1,420 requests, 4 min 44 s at the traffic');
  });

  test('restarts in the hours that pods have lived, and not as a share', async () => {
    const [errors] = aPoll(4).checks;
    if (errors === undefined) throw new Error('a poll has checks');
    const canary = { bad: 3, total: 1440 };
    const stable = { bad: 1, total: 36_000 };
    const told = {
      check: 'restarts',
      per: 'pod-second',
      canary,
      stable,
      excess: () => null,
    } as const;
    const checks = [errors, { ...errors, ...told, promotion: null }];
    await rolling('restarting', [aPoll(4, { checks, blame: 'restarts' })]);
    const { out } = await explain('restarting');
    expect(out).toMatch(/ 5 % +restarts +3 in 0\.4 pod-h +1 in 10 pod-h +7\.4 of 100/);
    expect(out).toContain(
      '  restarts: 3 restarts in 0.4 pod-hours in the canary, 1 restart in 10 pod-hours in stable',
    );
  });

  test('as many as wanted', async () => {
    await rolling(
      'many',
      Array.from({ length: 30 }, (_, i) => aPoll(200 - i)),
    );
    const rows = async (...args: readonly string[]) =>
      (await explain('many', ...args)).out.split('\n').filter((line) => /7\.4 of 100/.test(line));
    expect(await rows()).toHaveLength(10);
    expect(await rows('--polls', '3')).toHaveLength(3);
    expect(await rows('--polls', '200')).toHaveLength(30);
    proxied.length = 0;
    expect(await rows('--polls', '0')).toHaveLength(0);
    expect(proxied).toEqual([]);
    expect((await explain('many', '--polls', '201')).code).toBe(2);
  });

  test('as JSON', async () => {
    const revision = await rolling('programs', [aPoll(9), aPoll(4)]);
    const { out } = await explain('programs', '-o', 'json', '--polls', '1');
    expect(JSON.parse(out)).toMatchObject({
      phase: 'progressing',
      polls: {
        revision,
        ended: false,
        polls: [{ evidence: 7.4, checks: [{ excess: { low: -0.004, high: 0.041 } }] }],
      },
    });
  });

  test('a dry run is marked wherever it is named', async () => {
    const checks = aPoll(4).checks.map((check) => ({ ...check, check: 'slow', dryRun: true }));
    await rolling('dry', [aPoll(4, { checks, blame: null })]);
    const { out } = await explain('dry');
    expect(out).toMatch(/ 5 % +slow \(dry run\) +2 of 124/);
    expect(out).toContain('  slow (dry run): 2 of 124 bad in the canary');
  });

  test('of a rollout that has ended, and what failed it', async () => {
    await rolling('ended', [aPoll(4, { verdict: 'fail', evidence: 103.4, requestsNeeded: null })]);
    book.end('default/ended');
    const { out } = await explain('ended');
    expect(out).toMatch(/last polls \(revision \w+, attempt 1, has ended\)/);
    expect(out).toMatch(/103 of 100 +rolled back/);
    expect(out).not.toContain('the next step needs');
  });

  test('text of the leader cannot move the cursor', async () => {
    const [check] = aPoll(1).checks;
    const checks = [{ ...check, check: '\u001B[2Jerrors' }] as readonly CheckRecord[];
    await rolling('printed', [aPoll(1, { checks, blame: null })]);
    expect((await explain('printed')).out).not.toContain('\u001B');
  });
});

describe('without the leader explain shows what the annotations tell, and why', () => {
  const fallback =
    /The last polls could not be read from the controller; .* annotations\. Reason: /;
  const cases: readonly (readonly [string, readonly string[], typeof refusal, RegExp])[] = [
    ['forbidden', [], [403, 'no'], /you may not get pods\/proxy in namespace haldane\./],
    ['pod gone', [], [404, 'pods "x" not found'], /x2x4z: pods "x" not found\./],
    ['no Lease', ['--lease', 'haldane/other'], undefined, /no controller holds the Lease/],
  ];
  test.each(cases)('%s', async (name, args, answer, reason) => {
    refusal = answer;
    await rolling(`un-${name.replaceAll(' ', '-').toLowerCase()}`, [aPoll(4)]);
    const { code, out } = await explain(`un-${name.replaceAll(' ', '-').toLowerCase()}`, ...args);
    expect(code).toBe(0);
    expect(out).toMatch(fallback);
    expect(out).toMatch(reason);
    expect(out).toContain('errors: canary 0.12 %, stable 0.10 %');
  });

  test('a leader that knows no polls yet', async () => {
    await rolling('fresh', []);
    expect((await explain('fresh')).out).toContain('no polls of default/fresh are known here');
    const { out } = await explain('fresh', '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({
      polls: null,
      pollsUnreachable: expect.stringContaining('no polls of default/fresh') as string,
    });
  });

  test('at rest there is nothing to miss', async () => {
    refusal = [403, 'no'];
    await layDeployment(cluster, 'resting', { 'haldane.dev/enabled': 'true' });
    expect((await explain('resting')).out).not.toMatch(fallback);
  });

  test('a Lease that is named wrongly is a fault of the command line', async () => {
    const { code, err } = await explain('resting', '--lease', 'haldane');
    expect([code, err]).toEqual([2, expect.stringContaining('write it as NAMESPACE/NAME')]);
  });
});
