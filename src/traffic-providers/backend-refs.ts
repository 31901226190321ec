import { isRecord } from './route-record.ts';
import type { RawObject } from './traffic-provider.ts';

// Arithmetic of the backendRefs of one rule (Gateway API, HTTPRouteRule.backendRefs).

/** Largest weight that Gateway API allows on one backendRef (HTTPBackendRef.weight). */
export const largestWeight = 1_000_000;
/** Weights are multiplied by this, so that one percent of a weight of 1 is a whole number. */
const scale = 100;

export interface BackendRef extends RawObject {
  readonly name: string;
  readonly weight?: number;
}
export interface Rule extends RawObject {
  readonly backendRefs?: readonly BackendRef[];
}

/** One canary in a rule: the Service it takes its share from, and how many percent of it. */
export interface Part {
  readonly service: string;
  readonly canaryService: string;
  readonly percent: number;
}

export function rulesOf(raw: RawObject): readonly Rule[] {
  const spec = raw['spec'];
  return isRecord(spec) && Array.isArray(spec['rules']) ? (spec['rules'] as Rule[]) : [];
}
export const refsOf = (rule: Rule): readonly BackendRef[] => rule.backendRefs ?? [];
/** The API server fills in 1 where the user gave no weight. */
export const weightOf = (ref: BackendRef): number => ref.weight ?? 1;

/**
 * A Service of the route's own namespace; references across namespaces are refused (S8).
 */
export const isLocalService = (ref: BackendRef): boolean =>
  (ref['kind'] === undefined || ref['kind'] === 'Service') &&
  (ref['group'] === undefined || ref['group'] === '') &&
  ref['namespace'] === undefined;

const refTo = (refs: readonly BackendRef[], service: string): BackendRef | undefined =>
  refs.find((ref) => isLocalService(ref) && ref.name === service);

/** A rule that names the Service, with whatever weight. */
export const carries = (rule: Rule, service: string): boolean =>
  refTo(refsOf(rule), service) !== undefined;

/** A rule in which one of the generated Services is listed: its weights are multiplied. */
export const lists = (rule: Rule, generated: ReadonlySet<string>): boolean =>
  refsOf(rule).some((ref) => generated.has(ref.name));

/** Percent of the Service's requests that go to its canary; undefined where that is not listed. */
export function percentOf(
  rule: Rule,
  service: string,
  canaryService: string | undefined,
): number | undefined {
  const stable = refTo(refsOf(rule), service);
  const canary = canaryService === undefined ? undefined : refTo(refsOf(rule), canaryService);
  if (canary === undefined) return undefined;
  const total = weightOf(canary) + (stable === undefined ? 0 : weightOf(stable));
  // A rule whose stable share the user set to 0 has no traffic to split.
  return total === 0 ? 0 : Math.round((weightOf(canary) / total) * 1e4) / 100;
}

/**
 * As `percentOf`, of the rule that gives it least. Shares are whole numbers: one that is as close
 * to the `largest` percentage as its rule allows is none that somebody has lowered. A rule whose
 * stable share is 0 has nothing to give.
 */
export function leastPercentOf(
  rules: readonly Rule[],
  service: string,
  canaryService: string | undefined,
  largest: number,
): number {
  const least = rules.map((rule) => {
    const given = percentOf(rule, service, canaryService);
    const canary = shareIn(rule, canaryService);
    const isLess = canary < Math.round(((canary + shareIn(rule, service)) * largest) / 100);
    return given !== undefined && isLess ? given : largest;
  });
  return Math.min(largest, ...least);
}

function shareIn(rule: Rule, service: string | undefined): number {
  const ref = service === undefined ? undefined : refTo(refsOf(rule), service);
  return ref === undefined ? 0 : weightOf(ref);
}

/**
 * One rule with the shares of some of its Services split, whatever split was there before. The
 * ratio to the user's other backends stays: all weights are multiplied alike. Canaries come last,
 * because a gateway may number its series by position.
 *
 * @param saved the user's own refs of this rule; empty when they are not known
 * @param generated names of all our Services, those included that are to go
 */
export function split(
  rule: Rule,
  saved: readonly BackendRef[],
  parts: readonly Part[],
  generated: ReadonlySet<string>,
): Rule {
  const refs = refsOf(rule);
  const users = refs.filter((ref) => !generated.has(ref.name));
  const { factor, divisor } = multiplier(saved);
  const total = (ref: BackendRef): number => {
    const was = saved.find((one) => sameTarget(one, ref));
    // What the user adds beside a canary is meant as it stands.
    if (was === undefined && lists(rule, generated)) return presentTotal(refs, ref, parts);
    const weight = weightOf(was ?? ref);
    return weight === 0 ? 0 : Math.max(1, Math.round((weight * factor) / divisor));
  };
  const shareOf = (ref: BackendRef, { percent }: Part) => Math.round((total(ref) * percent) / 100);
  const backendRefs = users.map((ref) => {
    const part = parts.find((one) => isLocalService(ref) && ref.name === one.service);
    return { ...ref, weight: total(ref) - (part === undefined ? 0 : shareOf(ref, part)) };
  });
  const canaries = parts.flatMap((part) => {
    const stable = refTo(users, part.service);
    if (stable === undefined) return [];
    return [{ ...stable, name: part.canaryService, weight: shareOf(stable, part) }];
  });
  return { ...rule, backendRefs: [...backendRefs, ...canaries] };
}

/** What a Service and its canary have together as the rule stands. */
function presentTotal(
  refs: readonly BackendRef[],
  ref: BackendRef,
  parts: readonly Part[],
): number {
  const part = parts.find((one) => isLocalService(ref) && ref.name === one.service);
  const canary = part === undefined ? undefined : refTo(refs, part.canaryService);
  return weightOf(ref) + (canary === undefined ? 0 : weightOf(canary));
}

/** Weights over 10 000 are divided by their greatest common divisor first, to stay in the limit. */
function multiplier(saved: readonly BackendRef[]): { factor: number; divisor: number } {
  const largest = Math.max(1, ...saved.map(weightOf));
  if (largest * scale <= largestWeight) return { factor: scale, divisor: 1 };
  const divisor = saved.map(weightOf).reduce(greatestCommonDivisor);
  if ((largest / divisor) * scale <= largestWeight) return { factor: scale, divisor };
  // No whole number fits: the closest ratio within the limit.
  return { factor: scale, divisor: largest / (largestWeight / scale) };
}

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b);

const sameTarget = (a: BackendRef, b: BackendRef): boolean =>
  a.name === b.name &&
  a['namespace'] === b['namespace'] &&
  a['port'] === b['port'] &&
  a['kind'] === b['kind'];

/**
 * A rule without us: the saved one if the user left ours alone, else the user's edit with its
 * weights brought back.
 */
export function unsplit(
  rule: Rule,
  saved: readonly BackendRef[],
  generated: ReadonlySet<string>,
): Rule {
  if (!lists(rule, generated)) return rule;
  const users = refsOf(rule).filter((ref) => !generated.has(ref.name));
  const backendRefs = users.map((ref) => {
    const was = saved.find((one) => sameTarget(one, ref));
    return was === undefined ? ref : withWeight(ref, was.weight);
  });
  return { ...rule, backendRefs };
}

function withWeight(ref: BackendRef, weight: number | undefined): BackendRef {
  const { weight: _ours, ...rest } = ref;
  // Key order is kept as the API server sent it: a restored route is equal byte for byte.
  return weight === undefined
    ? rest
    : (Object.fromEntries(
        Object.entries(ref).map(([key, value]) => [key, key === 'weight' ? weight : value]),
      ) as BackendRef);
}
