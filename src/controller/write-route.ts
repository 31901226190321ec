import type { RawObject } from '../kubernetes/raw-object.ts';
import { resources } from '../kubernetes/resources.ts';
import { isOperatingError } from '../lib/errors.ts';
import { type Percent, percent } from '../lib/units.ts';
import { lasting } from '../rollout/route-mark.ts';
import { leastWeight, routeWeight, type Snapshot, stateOf } from '../rollout/snapshot.ts';
import type { RouteMark, RouteView } from '../rollout/views.ts';
import { confirmRecord } from './confirm-canary.ts';
import type { Effects } from './effects.ts';
import { outdated, unlessGone } from './outdated.ts';
import { isDecidedOtherwise, readUnchanged } from './read-deployment.ts';
import { readAgain, written } from './write-object.ts';

/** A cut is repeated on conflict this often within one pass; then the pass itself is repeated. */
const cutTries = 8;

export async function attach(s: Snapshot, effects: Effects, signal: AbortSignal): Promise<void> {
  const { provider, raw } = routeOf(s, effects);
  const binding = {
    deploymentUid: s.deployment.uid,
    revision: s.canary?.podHash ?? '',
    service: s.service?.name ?? '',
    canaryService: s.canaryService?.name ?? '',
  };
  await send(raw, provider.attach(raw, binding), effects, signal);
}

/**
 * Raises a weight, or undoes what somebody raised: only on the route that was observed, only from
 * the weight it carried, and only for the Deployment and the record as they are now. Each kind is
 * watched by itself, and after an outage of the API server one that is behind would size the canary
 * for what the Deployment was, or take a raise of ours for somebody's.
 */
export async function shift(
  action: { readonly from: Percent; readonly to: Percent },
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const { provider, raw } = observedRoute(s, effects, ({ weight, leastWeight }) =>
    action.to > action.from ? leastWeight === action.from : weight === action.from,
  );
  if (action.to > action.from) await confirmDeployment(s, effects, signal);
  else await confirmRecord(s, effects, signal);
  const step = stateOf(s)?.step;
  const raisedAt = step?.to === action.to ? step.raisedAt : undefined;
  await send(raw, provider.shift(raw, s.deployment.uid, action.to, raisedAt), effects, signal);
}

/**
 * Before what relies on the route giving all requests to the canary: after an outage of the API
 * server its watch may be behind the others, and a hand may have lowered the weight meanwhile.
 */
export async function confirmAllToCanary(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  if (s.route !== undefined) await confirmRoute((is) => is.leastWeight === 100, s, effects, signal);
}

/**
 * Before a rollout is paused for a weight that somebody has lowered: the weight may be one from
 * before a raise of ours, which the watch of the route has not told or a stale list has undone; or
 * it is that of a lowering of ours, whose mark was not seen.
 * @throws KUBERNETES_CONFLICT when the route carries another weight than was seen, or another mark
 */
export const confirmLowered = (s: Snapshot, effects: Effects, signal: AbortSignal): Promise<void> =>
  confirmRoute(
    ({ weight, leastWeight: least, record }) =>
      weight === routeWeight(s) &&
      least === leastWeight(s) &&
      record?.mark?.at === s.route?.record?.mark?.at,
    s,
    effects,
    signal,
  );

/**
 * Before a release is rejected because the gateway refuses its route.
 * @throws KUBERNETES_CONFLICT when the gateway says something else than was seen
 */
export const confirmRefused = (s: Snapshot, effects: Effects, signal: AbortSignal): Promise<void> =>
  unlessGone(confirmRoute(({ refusal }) => refusal === s.route?.refusal, s, effects, signal));

/**
 * Before a rejection is recorded that no cut of ours has come before: a stale list may show the
 * route as it was before the canary was put on it, or a hand has raised what it had taken off, so
 * that nothing seems to be left to cut.
 * @throws KUBERNETES_CONFLICT when the route carries our record, or gives the canary anything
 */
export async function confirmCut(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const seen = s.route?.record;
  if (s.route === undefined || seen?.mark?.kind === 'rejected') return;
  if (seen === undefined && stateOf(s)?.step.index === -1) return;
  const isCut = ({ weight, record }: RouteView) =>
    weight === 0 && (record === undefined) === (seen === undefined);
  await unlessGone(confirmRoute(isCut, s, effects, signal));
}

/**
 * Before a canary's Service is deleted: a write of ours that landed late may have listed it.
 * @throws KUBERNETES_CONFLICT when the route lists it
 */
export async function confirmUnlisted(
  service: string,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  if (s.route === undefined) return;
  const isUnlisted = ({ record }: RouteView) => record?.canaryService !== service;
  await unlessGone(confirmRoute(isUnlisted, s, effects, signal));
}

async function confirmRoute(
  isAsWanted: (is: RouteView) => boolean,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const { provider, raw } = routeOf(s, effects);
  const fresh = await effects.client.get(refOf(raw), signal);
  effects.accept(fresh);
  const is = provider.read(fresh, s.deployment.uid, s.service?.name ?? '');
  if (!isAsWanted(is)) throw outdated(`HTTPRoute ${raw.metadata.name}`);
}

async function confirmDeployment(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const raw = await readUnchanged(s, effects, signal);
  if (isDecidedOtherwise(raw, s)) throw outdated(`Deployment ${s.deployment.name}`);
}

/**
 * A compare-and-swap, unlike a cut: on a route that somebody lowered further it would be a raise.
 */
export async function flinch(
  action: { readonly to: Percent; readonly mark: RouteMark },
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const { provider, raw } = observedRoute(s, effects, ({ weight }) => weight > action.to);
  const patch = provider.lower(raw, s.deployment.uid, action.to, action.mark);
  await send(raw, patch, effects, signal);
}

/** Another version of the route with the same weight, for which no raise under way was meant. */
export async function fence(
  mark: RouteMark,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const weight = routeWeight(s);
  const { provider, raw } = observedRoute(s, effects, (seen) => seen.weight === weight);
  await send(raw, provider.lower(raw, s.deployment.uid, weight, mark), effects, signal);
}

/**
 * Takes the canary's traffic off. Lowering to nothing is right whatever else has changed on the
 * route, so a
 * conflict is answered with a fresh read and another try: no precondition may delay or refuse it.
 * What is read may tell of a rejection whose answer was lost.
 */
export async function cut(
  mark: RouteMark,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const found = routeOf(s, effects);
  let { raw } = found;
  for (let left = cutTries; ; left -= 1) {
    const is = found.provider.read(raw, s.deployment.uid, s.service?.name ?? '');
    const patch = found.provider.lower(raw, s.deployment.uid, percent(0), lasting(is, mark));
    if (Object.keys(patch).length === 0) return;
    try {
      effects.accept(await request(raw, patch, effects, signal));
      return;
    } catch (error) {
      if (left === 0 || !isOperatingError(error, 'KUBERNETES_CONFLICT')) throw error;
      raw = await readAgain(refOf(raw), effects, signal);
    }
  }
}

export async function restore(s: Snapshot, effects: Effects, signal: AbortSignal): Promise<void> {
  const { provider, raw } = routeOf(s, effects);
  await send(raw, provider.restore(raw, s.deployment.uid), effects, signal);
}

/** The route, if it is still the one that was observed and its weight allows what is intended. */
function observedRoute(s: Snapshot, effects: Effects, allows: (seen: RouteView) => boolean) {
  const found = routeOf(s, effects);
  const seen = found.provider.read(found.raw, s.deployment.uid, s.service?.name ?? '');
  if (seen.resourceVersion !== s.route?.resourceVersion || !allows(seen)) {
    throw outdated(`HTTPRoute ${found.raw.metadata.name}`);
  }
  return found;
}

function routeOf(s: Snapshot, effects: Effects) {
  const { route } = s;
  if (route === undefined) throw outdated('the route');
  const raw = effects.rawRoute(route.kind, route.namespace, route.name);
  if (raw === undefined || raw.metadata.uid !== route.uid)
    throw outdated(`HTTPRoute ${route.name}`);
  return { provider: effects.providers[route.kind], raw };
}

const refOf = (raw: RawObject) => ({
  resource: resources.httpRoutes,
  namespace: raw.metadata.namespace ?? '',
  name: raw.metadata.name,
});

const send = (raw: RawObject, patch: object, effects: Effects, signal: AbortSignal) =>
  written(refOf(raw), request(raw, patch, effects, signal), effects, signal);

const request = (raw: RawObject, patch: object, effects: Effects, signal: AbortSignal) =>
  effects.client.mergePatch(refOf(raw), patch, { uid: raw.metadata.uid ?? '' }, signal);
