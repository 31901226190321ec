import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  collectionPath,
  isDnsLabel,
  isDnsName,
  objectPath,
  podProxyPath,
} from '../../../src/kubernetes/api-path.ts';
import { apiVersionOf, resources } from '../../../src/kubernetes/resources.ts';

const { deployments, services, httpRoutes } = resources;

test.each<[path: string, expected: string]>([
  [collectionPath(services), '/api/v1/services'],
  [collectionPath(services, 'shop'), '/api/v1/namespaces/shop/services'],
  [collectionPath(deployments, 'shop'), '/apis/apps/v1/namespaces/shop/deployments'],
  [
    objectPath({ resource: httpRoutes, namespace: 'shop', name: 'web.v1' }),
    '/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/web.v1',
  ],
  [
    objectPath({ resource: deployments, namespace: 'shop', name: 'web' }, 'status'),
    '/apis/apps/v1/namespaces/shop/deployments/web/status',
  ],
])('%s', (path, expected) => {
  expect(path).toBe(expected);
});

test('apiVersion has no group for core', () => {
  expect([apiVersionOf(services), apiVersionOf(deployments)]).toEqual(['v1', 'apps/v1']);
});

test.each<[text: string, isLabel: boolean, isName: boolean]>([
  ['web', true, true],
  ['w', true, true],
  ['web-1', true, true],
  ['web.v1', false, true],
  ['a'.repeat(63), true, true],
  ['a'.repeat(64), false, true],
  ['a'.repeat(253), false, true],
  ['a'.repeat(254), false, false],
  ['', false, false],
  ['.', false, false],
  ['..', false, false],
  ['a..b', false, false],
  ['-a', false, false],
  ['a-', false, false],
  ['WEB', false, false],
  ['../web', false, false],
  ['web?x=1', false, false],
  ['web#x', false, false],
  ['web%2fx', false, false],
  ['web/x', false, false],
  ['web\n', false, false],
  ['wéb', false, false],
])('%j: label %s, name %s', (text, isLabel, isName) => {
  expect([isDnsLabel(text), isDnsName(text)]).toEqual([isLabel, isName]);
});

const refusal = expect.objectContaining({ code: 'KUBERNETES_INVALID' });

test('whatever a name or namespace holds, the path keeps its shape or is refused', () => {
  const odd = fc.oneof(
    fc.string(),
    fc.constantFrom('..', 'a/b', 'a?b', 'a%2e', 'a;b', 'a\\b', 'web'),
  );
  fc.assert(
    fc.property(odd, odd, (namespace, name) => {
      let path: string;
      try {
        path = objectPath({ resource: services, namespace, name });
      } catch (error) {
        expect(error).toEqual(refusal);
        return;
      }
      expect(new URL(path, 'http://server').pathname).toBe(path);
      expect(path.split('/')).toHaveLength(7);
    }),
    { numRuns: 500 },
  );
});

test('an object of a namespaced resource needs its namespace', () => {
  expect(() => objectPath({ resource: services, name: 'web' })).toThrow(refusal);
});

test('a pod is reached under its own path and nowhere else', () => {
  expect(podProxyPath('haldane', 'haldane-1', 'rollouts/shop/web/polls')).toBe(
    '/api/v1/namespaces/haldane/pods/haldane-1/proxy/rollouts/shop/web/polls',
  );
  for (const path of ['', '/metrics', 'a//b', '../../secrets', 'a?b=c', 'a/%2e%2e']) {
    expect(() => podProxyPath('haldane', 'haldane-1', path)).toThrow(refusal);
  }
  expect(() => podProxyPath('haldane', 'web/log', 'polls')).toThrow(refusal);
});
