import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { evaluateCel, type Scope } from '../../../src/embedded/cel.ts';
import { readText } from '../../tidy/repository.ts';

interface Policy {
  readonly spec: {
    readonly failurePolicy: string;
    readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
    readonly matchConstraints: { readonly resourceRules: readonly unknown[] };
    readonly mutations: readonly {
      readonly applyConfiguration: { readonly expression: string };
    }[];
  };
}

const policy = parseAllDocuments(
  readText('manifests/install/pause-on-change.yaml'),
)[0]?.toJS() as Policy;

interface Deployment {
  readonly annotations?: Record<string, string>;
  readonly image?: string;
  readonly paused?: boolean;
  readonly replicas?: number | null;
}

const optedIn = { 'haldane.dev/enabled': 'true' };
const rolling = { ...optedIn, 'haldane.dev/rollout': 'ab12cd34ef' };

function object({ annotations, image = 'web:v1', paused, replicas = 3 }: Deployment): object {
  const metadata = annotations === undefined ? { name: 'web' } : { name: 'web', annotations };
  const template = { spec: { containers: [{ name: 'web', image }] } };
  const spec = {
    template,
    ...(paused === undefined ? {} : { paused }),
    ...(replicas === null ? {} : { replicas }),
  };
  return { metadata, spec };
}

const pauses = (before: Deployment, after: Deployment): boolean => {
  const scope = { object: object(after), oldObject: object(before) } as unknown as Scope;
  return policy.spec.matchConditions.every(
    ({ expression }) => evaluateCel(expression, scope) === true,
  );
};

const v2 = 'web:v2';
test.each<[what: string, before: Deployment, after: Deployment, paused: boolean]>([
  ['set image', { annotations: optedIn }, { annotations: optedIn, image: v2 }, true],
  [
    'paused: false with it',
    { annotations: optedIn },
    { annotations: optedIn, image: v2, paused: false },
    true,
  ],
  [
    'already paused',
    { annotations: optedIn },
    { annotations: optedIn, image: v2, paused: true },
    false,
  ],
  ['opt-in and template together', {}, { annotations: optedIn, image: v2 }, true],
  [
    'nothing but an annotation',
    { annotations: optedIn },
    { annotations: { ...optedIn, a: 'b' } },
    false,
  ],
  ['scale', { annotations: optedIn }, { annotations: optedIn, replicas: 5 }, false],
  [
    'at 0 replicas',
    { annotations: optedIn, replicas: 0 },
    { annotations: optedIn, replicas: 0, image: v2 },
    false,
  ],
  [
    'replicas left to the default',
    { annotations: optedIn },
    { annotations: optedIn, replicas: null, image: v2 },
    true,
  ],
  ['not opted in', {}, { image: v2 }, false],
  ['other annotations', { annotations: { a: 'b' } }, { annotations: { a: 'b' }, image: v2 }, false],
  [
    'opted out',
    { annotations: optedIn },
    { annotations: { 'haldane.dev/enabled': 'false' }, image: v2 },
    false,
  ],
  ['annotation removed', { annotations: optedIn }, { annotations: {}, image: v2 }, false],
  ['resume under way', { annotations: rolling, paused: true }, { annotations: rolling }, true],
  [
    'resume under way, at 0',
    { annotations: rolling, paused: true },
    { annotations: rolling, replicas: 0 },
    true,
  ],
  ['the end of a rollout', { annotations: rolling, paused: true }, { annotations: optedIn }, false],
  [
    'opt-out under way',
    { annotations: rolling, paused: true },
    { annotations: { 'haldane.dev/rollout': 'x' } },
    false,
  ],
])('%s', (_what, before, after, paused) => {
  expect(pauses(before, after)).toBe(paused);
});

test('it applies to updates of Deployments, sets nothing but paused, and fails closed', () => {
  expect(policy.spec.matchConstraints.resourceRules).toEqual([
    {
      apiGroups: ['apps'],
      apiVersions: ['v1'],
      resources: ['deployments'],
      operations: ['UPDATE'],
    },
  ]);
  expect(policy.spec.mutations.map((one) => one.applyConfiguration.expression)).toEqual([
    'Object{spec: Object.spec{paused: true}}',
  ]);
  expect(policy.spec.failurePolicy).toBe('Fail');
});
