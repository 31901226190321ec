import { type Percent, percent } from '../lib/units.ts';
import type { RouteRecord, RouteView } from '../rollout/views.ts';
import {
  type BackendRef,
  carries,
  isLocalService,
  largestWeight,
  leastPercentOf,
  lists,
  percentOf,
  type Rule,
  refsOf,
  rulesOf,
  split,
  unsplit,
  weightOf,
} from './backend-refs.ts';
import {
  isRecord,
  type Json,
  readRecord,
  recordKey,
  recordsOf,
  type SavedRoute,
  type SavedRule,
} from './route-record.ts';
import type { RawObject, TrafficProvider } from './traffic-provider.ts';

/** Gateway API `HTTPRoute` (gateway.networking.k8s.io/v1), spec § HTTPRouteRule.backendRefs. */
export const gatewayApi: TrafficProvider = {
  kind: 'httproute',
  services: (raw) => [
    ...new Set(
      rulesOf(raw).flatMap((rule) =>
        refsOf(rule)
          .filter(isLocalService)
          .map((ref) => ref.name),
      ),
    ),
  ],
  read,
  attach(raw, binding) {
    const records = recordsOf(raw).filter(isNotOf(binding.deploymentUid));
    const fresh = { ...binding, saved: savedFor(raw, binding.service, records) };
    return patchOf(
      raw,
      fresh,
      reweighed(raw, [...records, fresh], fresh, () => 0),
    );
  },
  shift(raw, deploymentUid, weight, recordedAt) {
    const record = readRecord(raw, deploymentUid);
    if (record === undefined) return {};
    const { mark: _cleared, ...rest } = record;
    const kept = recordedAt === undefined ? rest : { ...rest, raise: { to: weight, recordedAt } };
    const isLowering = read(raw, deploymentUid, record.service).weight > weight;
    return steer(raw, kept, isLowering ? atMost(weight, raw, kept) : () => weight);
  },
  lower(raw, deploymentUid, weight, mark) {
    const record = readRecord(raw, deploymentUid);
    return record === undefined ? {} : steer(raw, { ...record, mark }, atMost(weight, raw, record));
  },
  restore(raw, deploymentUid) {
    const record = readRecord(raw, deploymentUid);
    if (record === undefined) return {};
    const records = recordsOf(raw).filter(isNotOf(deploymentUid));
    const rules = reweighed(raw, records, record, () => 0);
    return patchOf(raw, { deploymentUid }, rules);
  },
};

/** Percent that a rule is to give a canary, by what it gives; undefined where it lists none. */
type PercentFor = (given: number | undefined) => number;

/** What somebody has lowered in one rule alone is not raised there. */
function atMost(weight: Percent, raw: RawObject, record: SavedRoute): PercentFor {
  const { leastWeight } = read(raw, record.deploymentUid, record.service);
  return (given = leastWeight) => Math.min(weight, given);
}

/** The share of one Deployment changes; those of others on the same route stay as they are. */
function steer(raw: RawObject, record: SavedRoute, percentFor: PercentFor): RawObject {
  const others = recordsOf(raw).filter(isNotOf(record.deploymentUid));
  const saved = savedFor(raw, record.service, [record, ...others]);
  const fresh = { ...record, saved };
  return patchOf(raw, fresh, reweighed(raw, [...others, fresh], fresh, percentFor));
}

const isNotOf =
  (deploymentUid: string) =>
  (record: SavedRoute): boolean =>
    record.deploymentUid !== deploymentUid;

const generatedBy = (records: readonly SavedRoute[]): ReadonlySet<string> =>
  new Set(records.map(({ canaryService }) => canaryService));

/**
 * The user's own refs of every rule that names the Service. Where a canary is listed they are those
 * that were saved; where none is, also because somebody has applied the route anew, they are what
 * stands there.
 */
function savedFor(
  raw: RawObject,
  service: string,
  records: readonly SavedRoute[],
): readonly SavedRule[] {
  const generated = generatedBy(records);
  return rulesOf(raw).flatMap((rule, index) => {
    if (!carries(rule, service)) return [];
    const refs = lists(rule, generated) ? savedRefs(records, index) : refsOf(rule);
    return [{ rule: index, backendRefs: refs as unknown as Json }];
  });
}

/** What was saved of one rule, by whichever Deployment came first: all save the same. */
function savedRefs(records: readonly SavedRoute[], index: number): readonly BackendRef[] {
  const all = records.flatMap(({ saved }) => saved).filter(({ rule }) => rule === index);
  const refs = all.map(({ backendRefs }) => backendRefs as unknown as readonly BackendRef[]);
  return refs.find((known) => known.length > 0) ?? [];
}

/**
 * All rules with the shares of these Deployments split. `changed` is the one whose share is new, or
 * who leaves because it is not among them.
 */
function reweighed(
  raw: RawObject,
  records: readonly SavedRoute[],
  changed: SavedRoute,
  percentFor: PercentFor,
): readonly Rule[] {
  // Whoever comes or goes: the saved refs of either are the user's.
  const known = [changed, ...records];
  const generated = generatedBy(known);
  return rulesOf(raw).map((rule, index) => {
    const here = records.filter(({ service }) => carries(rule, service));
    const saved = savedRefs(known, index);
    if (here.length === 0) return unsplit(rule, saved, generated);
    const parts = here.map(({ deploymentUid, service, canaryService }) => {
      const given = percentOf(rule, service, canaryService);
      const isChanged = deploymentUid === changed.deploymentUid;
      return { service, canaryService, percent: isChanged ? percentFor(given) : (given ?? 0) };
    });
    return split(rule, saved, parts, generated);
  });
}

/**
 * A route is looked at by many passes before it changes. Of the Deployments that share it the last
 * one is remembered.
 */
function read(raw: RawObject, deploymentUid: string, service: string): RouteView {
  const known = lastViews.get(raw);
  if (known?.deploymentUid === deploymentUid && known.service === service) return known.view;
  const view = viewOf(raw, deploymentUid, service);
  lastViews.set(raw, { deploymentUid, service, view });
  return view;
}

const lastViews = new WeakMap<
  RawObject,
  { readonly deploymentUid: string; readonly service: string; readonly view: RouteView }
>();

function viewOf(raw: RawObject, deploymentUid: string, service: string): RouteView {
  const metadata = raw['metadata'] as RawObject;
  const record = readRecord(raw, deploymentUid);
  const rules = rulesOf(raw);
  const canaryService = record?.canaryService;
  const weights = rules.flatMap((rule) => percentOf(rule, service, canaryService) ?? []);
  const largest = Math.max(0, ...weights);
  const listing = rules.filter((rule) => refsOf(rule).some((ref) => ref.name === canaryService));
  const listed = listing.length > 0;
  const generation = Number(metadata['generation'] ?? 0);
  const publicRecord: RouteRecord | undefined = record && {
    deploymentUid: record.deploymentUid,
    revision: record.revision,
    service: record.service,
    canaryService: record.canaryService,
    mark: record.mark,
    raise: record.raise,
  };
  return {
    kind: 'httproute',
    namespace: String(metadata['namespace']),
    name: String(metadata['name']),
    uid: String(metadata['uid']),
    resourceVersion: String(metadata['resourceVersion']),
    annotations: {},
    generation,
    ...acceptance(raw, generation),
    problem: problemOf(rules, service),
    canaryService: listed ? canaryService : undefined,
    // Rules that disagree were edited by somebody: the largest share is what can hurt.
    weight: percent(largest),
    leastWeight: percent(
      isTakenOffSome(rules, listing, record)
        ? 0
        : leastPercentOf(rules, service, canaryService, largest),
    ),
    record: publicRecord,
  };
}

/**
 * One of the rules in which the canary was listed is there without it. One that somebody has added
 * meanwhile is not meant by this: it lists the canary from the next raise on.
 */
function isTakenOffSome(
  rules: readonly Rule[],
  listing: readonly Rule[],
  record: SavedRoute | undefined,
): boolean {
  if (record === undefined || listing.length >= record.saved.length) return false;
  return rules.some((rule) => carries(rule, record.service) && !listing.includes(rule));
}

/**
 * Every parent must have accepted this generation and resolved its references (spec § RouteStatus).
 */
function acceptance(raw: RawObject, generation: number) {
  const status = raw['status'];
  const parents =
    isRecord(status) && Array.isArray(status['parents']) ? (status['parents'] as Json[]) : [];
  const wanted =
    isRecord(raw['spec']) && Array.isArray(raw['spec']['parentRefs'])
      ? raw['spec']['parentRefs'].length
      : 0;
  let accepted = parents.length >= Math.max(1, wanted);
  let refusal: string | undefined;
  for (const parent of parents) {
    const conditions =
      isRecord(parent) && Array.isArray(parent['conditions']) ? parent['conditions'] : [];
    for (const type of ['Accepted', 'ResolvedRefs']) {
      const condition = conditions.find((c) => isRecord(c) && c['type'] === type);
      const current =
        isRecord(condition) && Number(condition['observedGeneration'] ?? 0) >= generation;
      if (!current || condition['status'] !== 'True') accepted = false;
      if (current && condition['status'] === 'False') {
        const said = String(condition['message'] ?? '');
        refusal = `${type}=False/${String(condition['reason'])}: ${said}`;
      }
    }
  }
  return { accepted, refusal };
}

/** Why the rules that name the Service cannot be steered; undefined when they can. */
function problemOf(rules: readonly Rule[], service: string): string | undefined {
  const mine = rules.flatMap((rule, index) => (carries(rule, service) ? [{ rule, index }] : []));
  if (mine.length === 0) return `no rule of it sends requests to Service ${service}`;
  for (const { rule, index } of mine) {
    const refs = refsOf(rule);
    const total = refs.reduce((sum, ref) => sum + weightOf(ref), 0);
    if (total === 0) return `the weights of rule ${index} add up to 0`;
    if (refs.filter((ref) => isLocalService(ref) && ref.name === service).length > 1) {
      return `rule ${index} names Service ${service} twice`;
    }
    const largest = Math.max(...refs.map(weightOf));
    if (largest > largestWeight) return `rule ${index} has a weight above ${largestWeight}`;
  }
  return undefined;
}

/**
 * `spec.rules` is an atomic list for a merge patch; resourceVersion makes it a compare-and-swap.
 */
function patchOf(
  raw: RawObject,
  record: SavedRoute | Pick<SavedRoute, 'deploymentUid'>,
  rules: readonly Rule[],
): RawObject {
  const metadata = raw['metadata'] as RawObject;
  const text = 'saved' in record ? JSON.stringify(record) : null;
  return {
    metadata: {
      resourceVersion: metadata['resourceVersion'],
      annotations: { [recordKey(record.deploymentUid)]: text },
    },
    spec: { rules },
  };
}
