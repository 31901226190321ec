import { serviceAccount } from './authorization.ts';
import { deleteObject, readDeleteOptions } from './deletion.ts';
import { bodyOf, type EndpointParts, withoutSubresource, writeOptions } from './endpoint.ts';
import { asNumber, asObject, asString, type JsonObject } from './json.ts';
import { render } from './rendering.ts';
import { type ApiRequest, type ApiResponse, ok } from './request.ts';
import type { KubernetesObject, Target } from './resource.ts';
import { labelSelectorMatch } from './selectors.ts';
import { ApiFailure, noSuchPath } from './status.ts';
import { checkPreconditions, scaleOf } from './strategy.ts';

const done = (): ApiResponse =>
  ok({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201);

/** Answers requests on subresources other than status. @throws ApiFailure */
export function answerSubresource(
  parts: EndpointParts,
  request: ApiRequest,
  target: Target,
): ApiResponse {
  const owner = withoutSubresource(target);
  switch (target.subresource) {
    case 'scale':
      return scale(parts, request, target);
    case 'binding':
      return bind(parts, request, owner);
    case 'eviction':
      return evict(parts, request, owner);
    case 'token': {
      const { metadata } = parts.objects.get(owner);
      const token = parts.tokens.issue(serviceAccount(target.namespace, target.name, metadata.uid));
      return ok(
        {
          ...asObject(request.body),
          status: { token, expirationTimestamp: parts.objects.later(3600) },
        },
        201,
      );
    }
    case 'finalize': {
      const stored = parts.objects.update(
        owner,
        bodyOf(request, target.resource),
        writeOptions(request).options,
      );
      return ok(render(target.resource, stored));
    }
    default:
      throw noSuchPath();
  }
}

function scale({ objects }: EndpointParts, request: ApiRequest, target: Target): ApiResponse {
  const current = objects.get(withoutSubresource(target));
  if (request.method === 'GET') return ok(scaleOf(current));
  const sent = asObject(request.body);
  const wanted = asObject(sent.spec).replicas;
  checkPreconditions(target.resource, current, asObject(sent.metadata));
  const kept = wanted === undefined && request.method === 'PATCH';
  const replicas = kept ? asNumber(asObject(current.spec).replicas) : asNumber(wanted);
  const change = (o: KubernetesObject) => ({
    ...(o as JsonObject),
    spec: { ...asObject(o.spec), replicas },
  });
  return ok(scaleOf(objects.modify(target, change, writeOptions(request).options)));
}

function bind({ objects }: EndpointParts, request: ApiRequest, pod: Target): ApiResponse {
  const nodeName = asString(asObject(asObject(request.body).target).name);
  const change = (o: KubernetesObject) => ({
    ...(o as JsonObject),
    spec: { ...asObject(o.spec), nodeName },
  });
  objects.modify(pod, change, writeOptions(request).options);
  return done();
}

function evict(parts: EndpointParts, request: ApiRequest, target: Target): ApiResponse {
  const pod = parts.objects.get(target);
  const budget = parts.store
    .list('policy/poddisruptionbudgets', target.namespace)
    .find((candidate) => {
      const selects = labelSelectorMatch(asObject(candidate.spec).selector);
      return selects(pod.metadata.labels) && asObject(candidate.status).disruptionsAllowed === 0;
    });
  if (budget !== undefined)
    throw new ApiFailure(
      429,
      'TooManyRequests',
      "Cannot evict pod as it would violate the pod's disruption budget.",
      {
        details: {
          causes: [
            {
              reason: 'DisruptionBudget',
              message: `The disruption budget ${budget.metadata.name} needs more healthy pods`,
            },
          ],
        },
        retryAfterSeconds: 10,
      },
    );
  deleteObject(
    parts.objects,
    target,
    readDeleteOptions(asObject(asObject(request.body).deleteOptions), request.query),
  );
  return done();
}
