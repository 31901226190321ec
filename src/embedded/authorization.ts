import { asArray, asObject, asString, type JsonObject } from './json.ts';
import type { KubernetesObject } from './resource.ts';
import type { Store } from './store.ts';

export type User = {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
};

/** What somebody wants to do: on a resource, or on a path that is none. */
export type AccessAttributes = {
  readonly verb: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly path?: string;
};

/** Member of `system:masters`: everything is allowed. */
export const administrator: User = {
  name: 'admin',
  groups: ['system:masters', 'system:authenticated'],
};
export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

export function serviceAccount(namespace: string, name: string, uid?: string): User {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: [
      'system:serviceaccounts',
      `system:serviceaccounts:${namespace}`,
      'system:authenticated',
    ],
    ...(uid === undefined ? {} : { uid }),
  };
}

const rbac = 'rbac.authorization.k8s.io';
// What every authenticated user may do in a real cluster without any Role.
const openPaths = /^\/(version|healthz|livez|readyz|api|apis|openapi)(\/|$)/;
const ownReviews = new Set([
  'selfsubjectaccessreviews',
  'selfsubjectreviews',
  'selfsubjectrulesreviews',
]);

/** Whether the Role and ClusterRole objects of the store allow it. */
export function isAllowed(store: Store, user: User, wanted: AccessAttributes): boolean {
  if (user.groups.includes('system:masters')) return true;
  if (wanted.path !== undefined && openPaths.test(wanted.path) && wanted.verb === 'get')
    return true;
  if (user.groups.includes('system:authenticated') && ownReviews.has(wanted.resource ?? ''))
    return true;
  const everywhere = store
    .list(`${rbac}/clusterrolebindings`)
    .some(
      (binding) =>
        binds(binding, user) && rulesOf(store, binding).some((rule) => ruleAllows(rule, wanted)),
    );
  if (everywhere) return true;
  const { namespace } = wanted;
  if (namespace === undefined || namespace === '') return false;
  return store
    .list(`${rbac}/rolebindings`, namespace)
    .some(
      (binding) =>
        binds(binding, user) && rulesOf(store, binding).some((rule) => ruleAllows(rule, wanted)),
    );
}

function binds(binding: KubernetesObject, user: User): boolean {
  return asArray((binding as JsonObject).subjects)
    .map(asObject)
    .some((subject) => {
      const subjectName = asString(subject.name);
      switch (subject.kind) {
        case 'User':
          return subjectName === user.name;
        case 'Group':
          return user.groups.includes(subjectName);
        case 'ServiceAccount': {
          const namespace = asString(subject.namespace) || binding.metadata.namespace || '';
          return user.name === `system:serviceaccount:${namespace}:${subjectName}`;
        }
        default:
          return false;
      }
    });
}

function rulesOf(store: Store, binding: KubernetesObject): readonly JsonObject[] {
  const ref = asObject((binding as JsonObject).roleRef);
  const role =
    ref.kind === 'ClusterRole'
      ? store.read(`${rbac}/clusterroles`, '', asString(ref.name))
      : store.read(`${rbac}/roles`, binding.metadata.namespace ?? '', asString(ref.name));
  return asArray((role as JsonObject | undefined)?.rules).map(asObject);
}

function ruleAllows(rule: JsonObject, wanted: AccessAttributes): boolean {
  const has = (list: unknown, value: string) =>
    asArray(list as never).some((item) => item === value || item === '*');
  if (!has(rule.verbs, wanted.verb)) return false;
  if (wanted.path !== undefined)
    return asArray(rule.nonResourceURLs)
      .map(asString)
      .some(
        (url) =>
          url === wanted.path ||
          (url.endsWith('*') && wanted.path?.startsWith(url.slice(0, -1)) === true),
      );
  if (!has(rule.apiGroups, wanted.group ?? '')) return false;
  const name =
    wanted.subresource === undefined
      ? (wanted.resource ?? '')
      : `${wanted.resource ?? ''}/${wanted.subresource}`;
  const resources = asArray(rule.resources).map(asString);
  const named = resources.some(
    (r) =>
      r === '*' ||
      r === name ||
      (wanted.subresource !== undefined && r === `*/${wanted.subresource}`),
  );
  if (!named) return false;
  const only = asArray(rule.resourceNames);
  return only.length === 0 || (wanted.name !== undefined && only.includes(wanted.name));
}
