import type { Json, JsonObject } from './json.ts';
import { openApiDocument, openApiIndex } from './openapi.ts';
import { apiVersionOf, type Resource } from './resource.ts';

/** The Kubernetes release whose behaviour is followed. */
export const serverVersion: JsonObject = {
  major: '1',
  minor: '36',
  emulationMajor: '1',
  emulationMinor: '36',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '35',
  gitVersion: 'v1.36.3',
  gitCommit: 'embedded',
  gitTreeState: 'clean',
  buildDate: '2026-07-23T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'linux/amd64',
};

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const subresourceVerbs = ['get', 'patch', 'update'];
const created = new Set(['binding', 'eviction', 'token']);
const subresourceKinds: Readonly<Record<string, JsonObject>> = {
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  binding: { kind: 'Binding' },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction' },
  token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
};

function describeResource(resource: Resource): JsonObject[] {
  const { plural, singular, kind, namespaced, shortNames, categories } = resource;
  return [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind,
      verbs,
      ...(shortNames.length === 0 ? {} : { shortNames }),
      ...(categories.length === 0 ? {} : { categories }),
    },
    ...resource.subresources.map((sub) => ({
      name: `${plural}/${sub}`,
      singularName: '',
      namespaced,
      kind,
      ...subresourceKinds[sub],
      verbs: created.has(sub) ? ['create'] : subresourceVerbs,
    })),
  ];
}

/** Kinds that are answered, never stored. */
const reviews: Readonly<Record<string, readonly (readonly [string, string, boolean])[]>> = {
  'authentication.k8s.io/v1': [
    ['tokenreviews', 'TokenReview', false],
    ['selfsubjectreviews', 'SelfSubjectReview', false],
  ],
  'authorization.k8s.io/v1': [
    ['subjectaccessreviews', 'SubjectAccessReview', false],
    ['selfsubjectaccessreviews', 'SelfSubjectAccessReview', false],
    ['localsubjectaccessreviews', 'LocalSubjectAccessReview', true],
  ],
};

const discoveryPath = /^\/(version|apis?(\/[^/]+){0,2}|openapi\/.+)$/;

/** Answers of the discovery paths; `undefined` when the path is none. */
export function discover(path: string, resources: readonly Resource[]): Json | undefined {
  if (!discoveryPath.test(path)) return undefined;
  const groupVersions = [...new Set([...resources.map(apiVersionOf), ...Object.keys(reviews)])];
  const named = groupVersions.filter((groupVersion) => groupVersion.includes('/'));
  switch (path) {
    case '/version':
      return serverVersion;
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups(named) };
    case '/openapi/v3':
      return openApiIndex(groupVersions);
    default:
      break;
  }
  const openApi = /^\/openapi\/v3\/apis?\/(.+)$/.exec(path);
  if (openApi !== null) {
    const served = resources.filter((resource) => apiVersionOf(resource) === openApi[1]);
    return groupVersions.includes(openApi[1] ?? '')
      ? openApiDocument(openApi[1] ?? '', served)
      : undefined;
  }
  const one = /^\/apis\/([^/]+)$/.exec(path);
  if (one !== null)
    return groups(named)
      .map((group) => ({ kind: 'APIGroup', apiVersion: 'v1', ...group }))
      .find((group: JsonObject) => group.name === one[1]);
  const groupVersion = /^\/apis?\/(v1|[^/]+\/[^/]+)$/.exec(path)?.[1];
  if (groupVersion === undefined || !groupVersions.includes(groupVersion)) return undefined;
  const list = resources
    .filter((resource) => apiVersionOf(resource) === groupVersion)
    .flatMap(describeResource);
  const extra = (reviews[groupVersion] ?? []).map(([name, kind, namespaced]) => ({
    name,
    singularName: kind.toLowerCase(),
    namespaced,
    kind,
    verbs: ['create'],
  }));
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: [...list, ...extra],
  };
}

function groups(groupVersions: readonly string[]): JsonObject[] {
  const names = [
    ...new Set(groupVersions.map((groupVersion) => groupVersion.split('/')[0] as string)),
  ];
  return names.map((name) => {
    const versions = groupVersions
      .filter((gv) => gv.startsWith(`${name}/`))
      .map((gv) => ({ groupVersion: gv, version: gv.split('/')[1] as string }));
    return { name, versions, preferredVersion: versions[0] };
  });
}
