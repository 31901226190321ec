import { OperatingError } from '../lib/errors.ts';
import { type Resource, resources } from './resources.ts';

/** One object. `namespace` is compulsory for namespaced resources. */
export interface ObjectRef {
  readonly resource: Resource;
  readonly namespace?: string;
  readonly name: string;
}

/** The parts of an object that have an endpoint of their own. */
export type Subresource = 'status' | 'scale';

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const lengthOfLabel = 63;
const lengthOfName = 253;

/** RFC 1123 label: what a namespace is called. */
export const isDnsLabel = (text: string): boolean =>
  text.length <= lengthOfLabel && label.test(text);

/** RFC 1123 subdomain: what most objects are called. */
export const isDnsName = (text: string): boolean =>
  text.length <= lengthOfName && text.split('.').every((part) => label.test(part));

/** `/apis/apps/v1/namespaces/shop/deployments`; every namespace when none is given. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : groupRoot(resource);
  if (namespace === undefined) return `${root}/${resource.plural}`;
  if (!resource.namespaced) throw refused(`${resource.plural} have no namespace`);
  if (!isDnsLabel(namespace)) throw refused(`not a namespace: ${quoted(namespace)}`);
  return `${root}/namespaces/${namespace}/${resource.plural}`;
}

/**
 * Path of one object. Throws KUBERNETES_INVALID for a name that could leave its place in the path.
 */
export function objectPath(ref: ObjectRef, subresource?: Subresource): string {
  const { resource, namespace, name } = ref;
  if (resource.namespaced && namespace === undefined) {
    throw refused(`${resource.kind} ${quoted(name)} lacks a namespace`);
  }
  if (!isDnsName(name)) throw refused(`not a name: ${quoted(name)}`);
  const tail = subresource === undefined ? '' : `/${subresource}`;
  return `${collectionPath(resource, namespace)}/${name}${tail}`;
}

/**
 * What the first declared port of a pod serves under `path`, through the API server's proxy.
 * `path` is made of names joined by `/`; throws KUBERNETES_INVALID for anything else.
 */
export function podProxyPath(namespace: string, pod: string, path: string): string {
  if (!path.split('/').every(isDnsName)) throw refused(`not a path of names: ${quoted(path)}`);
  return `${objectPath({ resource: resources.pods, namespace, name: pod })}/proxy/${path}`;
}

const groupRoot = (resource: Resource) => `/apis/${resource.group}/${resource.version}`;

const quoted = (text: string) => JSON.stringify(text.slice(0, 64));

const refused = (message: string) =>
  new OperatingError('KUBERNETES_INVALID', message, { retry: 'never' });
