import { describeSpan, type Instant, type Millis, millis, ratio } from '../lib/units.ts';
import { type Counts, noCounts } from './counts.ts';
import type { CheckEvidence, ComponentEvidence, EvidenceState } from './evidence.ts';
import { lnPromotion, requestsUntilPromotion } from './forecast.ts';
import { guard, type Held, isSilent } from './guard.ts';
import { once } from './once.ts';
import { type AnalysisPolicy, type CheckPolicy, countsRequests } from './policy.ts';
import { type CheckWealth, type TotalWealth, totalWealth } from './total.ts';
import type { Blame, CheckReport, Verdict } from './verdict.ts';
import { failureWords } from './words.ts';

export interface JudgeContext {
  readonly now: Instant;
  /** How often the source has new samples; absent: the length of the last poll. */
  readonly interval?: Millis;
  /** A canary pod turned Ready so recently that its latency is not counted. */
  readonly warming?: boolean;
}

/**
 * What the evidence says now. Pure and cheap: no statistics beyond reading off the state. The
 * order is the policy: rejected, then what forbids any judgement, then what is missing, then pass.
 */
export function judge(
  state: EvidenceState,
  policy: AnalysisPolicy,
  context: JudgeContext,
): Verdict {
  const { total, counted } = countedUp(state, policy);
  if (state.rejected !== null) {
    const because = failureWords(state.rejected, total, policy);
    return { ...counted, kind: 'fail', check: state.rejected.check, because };
  }
  const held =
    guard(state, policy, context, total) ?? missing(state, policy, context, counted.checks);
  if (held !== undefined) {
    const { reason, because, requestsNeeded, secondsNeeded } = held;
    return { ...counted, kind: 'inconclusive', reason, because, requestsNeeded, secondsNeeded };
  }
  const because = `the step to ${state.next} % cannot add more harm than the margin allows`;
  return { ...counted, kind: 'pass', because };
}

/** Every pass judges again by the time that has passed; what was counted is told once. */
const countedUp = once((state, policy) => {
  const total = totalWealth(state, policy);
  const { exposedRequests, failedRequests } = exposure(state, policy);
  const counted = {
    checks: total.checks.map((wealth) => report(state, policy, wealth)),
    evidence: total.wealth,
    threshold: total.needed,
    exposedRequests,
    failedRequests,
    blame: blameOf(total, state, policy),
  };
  return { total, counted };
});

/** What the next step still lacks. */
function missing(
  state: EvidenceState,
  policy: AnalysisPolicy,
  context: JudgeContext,
  checks: readonly CheckReport[],
): Held | undefined {
  if (checks.length > 0 && checks.every(({ dryRun }) => dryRun)) {
    const because = 'every check is a dry run: nothing can let the next step pass but a person';
    return { reason: 'not-enough-evidence', because };
  }
  const awaited = checks.filter(({ check }) => !isDispensable(state, policy, context, check));
  const open = awaited.filter((check) => lacks(check));
  const [first] = open;
  if (first === undefined) return tooYoung(state, policy, context);
  const needed = forecast(state, policy, awaited);
  const cold = open.find(({ check }) =>
    ['histogram', 'gauge'].includes(kindOf(policy, check) ?? ''),
  );
  if (context.warming === true && cold !== undefined) {
    const what = kindOf(policy, cold.check) === 'gauge' ? cold.check : 'latency';
    const because = `${what} is not judged while canary pods are fresh`;
    return { reason: 'warming-up', because, ...needed };
  }
  const have = (first.promotion ?? 0).toPrecision(2);
  const because = `${first.check}: evidence ${have} of ${first.promotionNeeded}`;
  return { reason: 'not-enough-evidence', because, ...needed };
}

function tooYoung(
  state: EvidenceState,
  policy: AnalysisPolicy,
  context: JudgeContext,
): Held | undefined {
  const age = context.now - (state.inForceSince ?? context.now);
  const left = Math.max(
    policy.minStep - age,
    (policy.minPolls - state.pollsInForce) * (context.interval ?? state.interval),
  );
  if (left <= 0) return undefined;
  const because = `the step lasts another ${describeSpan(millis(left))}`;
  return { reason: 'min-step', because, secondsNeeded: Math.ceil(left / 1000) };
}

/** A check that has no answer, and whose owner wants promotion to do without it then. */
function isDispensable(
  state: EvidenceState,
  policy: AnalysisPolicy,
  context: JudgeContext,
  name: string,
): boolean {
  const check = policy.checks.find((one) => one.name === name);
  return check?.onEmpty === 'ignore' && isSilent(state, check, policy, context);
}

const lacks = ({ promotion, promotionNeeded, dryRun }: CheckReport): boolean =>
  !dryRun && promotion !== undefined && promotion < promotionNeeded;

const kindOf = (policy: AnalysisPolicy, name: string) =>
  policy.checks.find((check) => check.name === name)?.kind;

const isOfRequests = (policy: AnalysisPolicy, name: string): boolean =>
  policy.checks.some((check) => check.name === name && countsRequests(check));

/** Requests and seconds until every check lets the next step pass, if all stays as it is. */
function forecast(
  state: EvidenceState,
  policy: AnalysisPolicy,
  checks: readonly CheckReport[],
): { requestsNeeded?: number; secondsNeeded?: number } {
  const looks = checks.filter((check) => lacks(check) && check.secondsNeeded !== undefined);
  const looking = Math.max(0, ...looks.map((check) => check.secondsNeeded ?? 0));
  const open = checks.filter((check) => lacks(check) && !looks.includes(check));
  if (open.some((check) => check.requestsNeeded === undefined)) return {};
  if (open.length === 0 && looks.length > 0) return { secondsNeeded: looking };
  const requestsNeeded = Math.max(0, ...open.map((check) => check.requestsNeeded ?? 0));
  const since = state.inForceSince;
  const counted = checks.filter(({ check }) => isOfRequests(policy, check));
  const served = Math.max(0, ...counted.map(({ canary }) => canary.total));
  if (since === null || state.at === null || served === 0) return { requestsNeeded };
  const perSecond = (served * 1000) / (state.at - since);
  const secondsNeeded = Math.max(looking, Math.ceil(requestsNeeded / perSecond));
  return { requestsNeeded, secondsNeeded };
}

function report(state: EvidenceState, policy: AnalysisPolicy, wealth: CheckWealth): CheckReport {
  const { check, worst, worstIndex } = wealth;
  const { nc, xc, ns, xs } = shownOf(check, worst) ?? noCounts;
  return {
    check: check.name,
    dryRun: check.dryRun === true,
    per: check.kind === 'restarts' ? 'pod-second' : undefined,
    bound: check.bounds?.[worstIndex],
    canary: { bad: xc, total: nc },
    stable: { bad: xs, total: ns },
    evidence: wealth.wealth,
    adds: wealth.share === 0 ? 0 : wealth.share * wealth.wealth,
    promotionNeeded: Math.round(1 / policy.beta),
    ...promotionOf(state, policy, check, state.checks[check.name]),
  };
}

/** Of the step; restarts are rare, and those of the whole rollout. */
const shownOf = (
  check: CheckPolicy | undefined,
  component: ComponentEvidence | undefined,
): Counts | undefined => (check?.kind === 'restarts' ? component?.total : component?.step);

/** The weakest component decides: every one must exclude the margin. */
function promotionOf(
  state: EvidenceState,
  policy: AnalysisPolicy,
  check: CheckPolicy,
  evidence: CheckEvidence | undefined,
): Pick<CheckReport, 'promotion' | 'requestsNeeded' | 'secondsNeeded'> {
  if (check.better === undefined || evidence === undefined || evidence.components.length === 0) {
    return {};
  }
  const promotion = Math.exp(Math.min(...evidence.components.map(lnPromotion)));
  if (promotion >= 1 / policy.beta) return { promotion, requestsNeeded: 0 };
  const requests = evidence.components.map((component) =>
    requestsUntilPromotion(component, check, state.next ?? 100, evidence.dispersion, policy.beta),
  );
  if (requests.some((one) => one === undefined)) return { promotion };
  const requestsNeeded = Math.max(...requests.map((one) => one ?? 0));
  return check.gauge === undefined
    ? { promotion, requestsNeeded }
    : { promotion, secondsNeeded: Math.ceil((requestsNeeded * check.gauge.spacing) / 1000) };
}

function blameOf(
  { blamed, wealth, needed }: TotalWealth,
  state: EvidenceState,
  policy: AnalysisPolicy,
): Blame | undefined {
  const named = state.rejected?.check ?? blamed?.check.name;
  const check = policy.checks.find(({ name }) => name === named);
  const isBlamed = named === blamed?.check.name;
  const component = isBlamed ? blamed?.worst : state.checks[named ?? '']?.components[0];
  const counts = shownOf(check, component);
  if (named === undefined || counts === undefined) return undefined;
  const whole = counts.nc > 0 ? counts : (blamed?.worst?.total ?? counts);
  return {
    check: named,
    canary: ratio(whole.nc > 0 ? whole.xc / whole.nc : 0),
    stable: ratio(whole.ns > 0 ? whole.xs / whole.ns : 0),
    ...(check?.kind === 'restarts' ? { per: 'pod-second' } : {}),
    evidence: wealth,
    threshold: needed,
  };
}

/** Canary requests since the rollout began, by the first check that counts them and acts. */
function exposure(
  state: EvidenceState,
  policy: AnalysisPolicy,
): { exposedRequests: number; failedRequests: number } {
  const ratioCheck = policy.checks.find(({ kind, dryRun }) => kind === 'ratio' && dryRun !== true);
  const check = ratioCheck ?? policy.checks.find(countsRequests);
  const total = state.checks[check?.name ?? '']?.components[0]?.total;
  return {
    exposedRequests: total?.nc ?? 0,
    failedRequests: ratioCheck === undefined ? 0 : (total?.xc ?? 0),
  };
}
