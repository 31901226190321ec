import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { bootstrap } from '../../../src/controller/write-workload.ts';
import { templateHash } from '../../../src/kubernetes/template.ts';
import { aDeployment, aSnapshot } from '../../builders/snapshot.ts';

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [] } };
const noop = () => undefined;
const modes = ['on-change', 'at-rest'] as const;

/** Lets the template come up while the Deployment counts so many pods; tells what was written. */
async function written(
  pauseMode: (typeof modes)[number],
  status: object | undefined,
): Promise<readonly string[]> {
  const found: string[] = [];
  const deployment = aDeployment({ templateHash: templateHash(template) });
  const metadata = { name: 'web', namespace: 'shop', uid: deployment.uid };
  const spec = { selector: { matchLabels: { app: 'web' } }, template };
  const write = (what: string) => () => {
    found.push(what);
    return Promise.resolve({ metadata });
  };
  const client = {
    get: () => Promise.resolve({ metadata, spec, ...(status === undefined ? {} : { status }) }),
    create: write('create'),
    mergePatch: write('resume'),
    jsonPatch: write('resume'),
  };
  const effects = { client, accept: noop } as unknown as Effects;
  const s = aSnapshot({ deployment, pauseMode, stable: undefined, canary: undefined, active: [] });
  await bootstrap(s, effects, new AbortController().signal);
  return found;
}

test.each([undefined, {}, { replicas: 0 }])('with the status %j it comes up', async (status) => {
  expect(await written('on-change', status)).toEqual(['resume']);
  expect(await written('at-rest', status)).toEqual(['create']);
});

// A stale list of ReplicaSets lacked stable, and what nobody had tested rolled by itself.
test.each(modes)('%s, a template is not let through where pods serve', async (mode) => {
  await expect(written(mode, { replicas: 1 })).rejects.toMatchObject({
    code: 'KUBERNETES_CONFLICT',
  });
});
