import { asObject, type Json, type JsonObject } from './json.ts';
import { apiVersionOf, type Resource } from './resource.ts';
import { type Schema, schemas } from './schema.ts';

const extensions: Readonly<Record<string, string>> = {
  listType: 'x-kubernetes-list-type',
  listKeys: 'x-kubernetes-list-map-keys',
  mapType: 'x-kubernetes-map-type',
  mergeKey: 'x-kubernetes-patch-merge-key',
  mergeStrategy: 'x-kubernetes-patch-strategy',
  intOrString: 'x-kubernetes-int-or-string',
  open: 'x-kubernetes-preserve-unknown-fields',
};

/** A schema back in the words of OpenAPI; collects the schemas it refers to. */
function toOpenApi(shape: Schema, refer: (name: string) => void): JsonObject {
  const result: Record<string, Json | undefined> = {};
  for (const [key, value] of Object.entries(shape)) {
    if (key === 'ref') {
      refer(value as string);
      result['allOf'] = [{ $ref: `#/components/schemas/${value as string}` }];
    } else if (key === 'items') result['items'] = toOpenApi(value as Schema, refer);
    else if (key === 'values') result['additionalProperties'] = toOpenApi(value as Schema, refer);
    else if (key === 'properties')
      result['properties'] = Object.fromEntries(
        Object.entries(value as Record<string, Schema>).map(([name, child]) => [
          name,
          toOpenApi(child, refer),
        ]),
      );
    else result[extensions[key] ?? key] = value;
  }
  return result;
}

/** Where each group's document lies. */
export function openApiIndex(groupVersions: readonly string[]): JsonObject {
  return {
    paths: Object.fromEntries(
      groupVersions.map((groupVersion) => {
        const path = groupVersion.includes('/') ? `apis/${groupVersion}` : `api/${groupVersion}`;
        return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=1` }];
      }),
    ),
  };
}

const queryParameters = ['dryRun', 'fieldManager', 'fieldValidation', 'force'];

/**
 * OpenAPI v3 of one group: schemas, and the operations that say which query parameters are
 * understood.
 */
export function openApiDocument(groupVersion: string, resources: readonly Resource[]): JsonObject {
  const components: Record<string, JsonObject> = {};
  const queue: string[] = [];
  const paths: Record<string, Json> = {};
  for (const resource of resources) {
    const name = schemas.kinds[`${groupVersion}/${resource.kind}`];
    if (name !== undefined) queue.push(name);
    paths[pathOf(groupVersion, resource)] = operations(resource);
  }
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const shape = schemas.shapes[name];
    if (shape === undefined || components[name] !== undefined) continue;
    components[name] = toOpenApi(shape, (ref) => queue.push(ref));
  }
  for (const resource of resources) {
    const name = schemas.kinds[`${groupVersion}/${resource.kind}`];
    if (name !== undefined)
      components[name] = {
        ...asObject(components[name]),
        'x-kubernetes-group-version-kind': [gvk(resource)],
      };
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.36.3' },
    paths,
    components: { schemas: components },
  };
}

const gvk = ({ group, version, kind }: Resource): JsonObject => ({ group, version, kind });

function pathOf(groupVersion: string, resource: Resource): string {
  const root = groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
  return `${root}${resource.namespaced ? '/namespaces/{namespace}' : ''}/${resource.plural}/{name}`;
}

function operations(resource: Resource): JsonObject {
  const operation = (action: string): JsonObject => ({
    operationId: `${action}${apiVersionOf(resource).replaceAll(/[^a-z0-9]/gi, '')}${resource.kind}`,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk(resource),
    parameters: queryParameters.map((name) => ({ name, in: 'query', schema: { type: 'string' } })),
    responses: { 200: { description: 'OK' } },
  });
  return {
    get: operation('get'),
    put: operation('put'),
    patch: operation('patch'),
    delete: operation('delete'),
  };
}
