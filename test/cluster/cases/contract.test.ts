import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cluster, openCluster } from '../cluster.ts';
import { runCommand } from '../command.ts';
import { repository } from '../places.ts';

// What the embedded API server promises is checked here on the real one: the same files, unchanged.

let cluster: Cluster;

beforeAll(async () => {
  cluster = await openCluster();
});

afterAll(() => cluster?.close());

it('the contract of the embedded API server holds on the real one', async () => {
  const vitest = join(repository, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--root', repository, 'test/contract/kubernetes'];
  const env = {
    ...process.env,
    HALDANE_CONTRACT_KUBECONFIG: cluster.kubeconfig,
    HALDANE_TEST_REPORT: undefined, // this suite's own report is not to be overwritten
    NO_COLOR: '1',
  };
  const result = await runCommand(process.execPath, args, { env, timeout: 400_000 });
  const [, passed = '0'] = /Tests\s+(?:\d+ failed \| )?(\d+) passed/.exec(result.stdout) ?? [];
  console.log(`FIGURE contract: ${passed} cases on the real API server`);
  expect(result.code, result.stdout.slice(-6000)).toBe(0);
  expect(Number(passed)).toBeGreaterThanOrEqual(120);
}, 420_000);
