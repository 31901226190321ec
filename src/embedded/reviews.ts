import { type AccessAttributes, isAllowed, type User } from './authorization.ts';
import { asArray, asObject, asString, type Json, type JsonObject } from './json.ts';
import type { Store } from './store.ts';
import type { TokenRegistry } from './tokens.ts';

const attributesOf = (spec: JsonObject): AccessAttributes => {
  const resource = asObject(spec.resourceAttributes);
  const url = asObject(spec.nonResourceAttributes);
  if (spec.resourceAttributes === undefined)
    return { verb: asString(url.verb), path: asString(url.path) };
  return {
    verb: asString(resource.verb),
    group: asString(resource.group),
    resource: asString(resource.resource),
    subresource: asString(resource.subresource) || undefined,
    namespace: asString(resource.namespace) || undefined,
    name: asString(resource.name) || undefined,
  };
};

/** Answers the kinds that are asked and never stored; `undefined` for any other. */
export function answerReview(
  plural: string,
  body: JsonObject,
  user: User,
  parts: { readonly store: Store; readonly tokens: TokenRegistry },
): JsonObject | undefined {
  const spec = asObject(body.spec);
  switch (plural) {
    case 'tokenreviews':
      return { ...body, status: tokenStatus(spec, parts.tokens) };
    case 'selfsubjectreviews':
      return { ...body, status: { userInfo: { username: user.name, groups: user.groups } } };
    case 'selfsubjectaccessreviews':
      return { ...body, status: accessStatus(parts.store, user, spec) };
    case 'subjectaccessreviews':
    case 'localsubjectaccessreviews': {
      const named: User = { name: asString(spec.user), groups: asArray(spec.groups).map(asString) };
      return { ...body, status: accessStatus(parts.store, named, spec) };
    }
    default:
      return undefined;
  }
}

const accessStatus = (store: Store, user: User, spec: JsonObject): Json =>
  isAllowed(store, user, attributesOf(spec)) ? { allowed: true } : { allowed: false };

const ownAudience = 'https://kubernetes.default.svc';

function tokenStatus(spec: JsonObject, tokens: TokenRegistry): JsonObject {
  const user = tokens.userOf(asString(spec.token));
  const asked = asArray(spec.audiences).map(asString);
  const audiences =
    asked.length === 0 ? [ownAudience] : asked.filter((audience) => audience === ownAudience);
  if (user === undefined || audiences.length === 0)
    return { user: {}, error: '[invalid bearer token]' };
  return {
    authenticated: true,
    audiences,
    user: {
      username: user.name,
      groups: user.groups,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
    },
  };
}
