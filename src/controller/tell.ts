import type { EvidenceState } from '../analysis/evidence.ts';
import { lossWords } from '../analysis/loss-words.ts';
import type { Verdict } from '../analysis/verdict.ts';
import { type Millis, millis } from '../lib/units.ts';
import { blamed } from '../notifiers/facts.ts';
import type { Decision } from '../rollout/decision.ts';
import type { NextWrite } from '../rollout/mechanism.ts';
import type { Notice } from '../rollout/notice.ts';
import { noticesFor } from '../rollout/notices.ts';
import { refusal } from '../rollout/request.ts';
import type { Problem } from '../rollout/rollout-spec.ts';
import { carriedIndex, routeWeight, type Snapshot, stateOf } from '../rollout/snapshot.ts';
import type { RolloutState } from '../rollout/state.ts';
import type { CheckFigures } from '../telemetry/rollout-gauges.ts';
import { aboutDeployment } from './event-sink.ts';
import type { RolloutMemory } from './memory.ts';
import type { Parts } from './parts.ts';
import { type PollBook, pollsOf } from './poll-book.ts';
import { keyOf } from './sample.ts';
import { checkSummaries } from './summary.ts';

/**
 * Everything a pass says to people and machines. It never waits, never throws, and changes no
 * decision.
 */
export function tell(
  s: Snapshot,
  decision: Decision,
  next: NextWrite,
  requestProblem: Problem | undefined,
  memory: RolloutMemory,
  parts: Parts,
): void {
  const heldFor = trackHold(s, decision, memory);
  tellLog(s, decision, next, memory, parts);
  tellMetrics(s, decision, memory, parts);
  for (const notice of noticesFor(s, decision, heldFor)) {
    if (memory.enqueued.has(notice.id)) continue;
    memory.enqueued.add(notice.id);
    parts.enqueue(notice, keyOf(s));
    // Of its start an Event has told, before there was anything to wait for.
    if (notice.kind !== 'started') tellEvent(s, notice, notice.kind, parts);
  }
  tellRefusal(s, requestProblem, memory, parts);
}

function trackHold(s: Snapshot, decision: Decision, memory: RolloutMemory): Millis {
  if (decision.phase !== 'holding') {
    memory.hold = undefined;
    return millis(0);
  }
  const reason = holdReason(s, decision);
  if (memory.hold?.reason !== reason) memory.hold = { reason, since: s.now };
  return millis(s.now - memory.hold.since);
}

/** Rules whose reason to hold is the verdict's. */
const verdictRules: ReadonlySet<string> = new Set(['cannotJudge', 'sickPod', 'restartAwaited']);

const holdReason = (s: Snapshot, decision: Decision): string =>
  verdictRules.has(decision.rule) && s.verdict?.kind === 'inconclusive'
    ? s.verdict.reason
    : decision.rule;

/** One line for each transition: the rule, the condition worked on, or the weight has changed. */
function tellLog(
  s: Snapshot,
  decision: Decision,
  next: NextWrite,
  memory: RolloutMemory,
  parts: Parts,
): void {
  const condition = next.kind === 'reached' ? '' : next.condition;
  const told = [decision.rule, decision.phase, condition, routeWeight(s)].join('|');
  if (memory.told === told || decision.goal.kind === 'ignore') return;
  const first = memory.told === undefined;
  memory.told = told;
  const quiet = first && next.kind !== 'write' && decision.phase === 'rest';
  const state = stateOf(s);
  parts.log[quiet ? 'debug' : 'info'](
    {
      rollout: keyOf(s),
      revision: s.deployment.templateHash,
      phase: decision.phase,
      rule: decision.rule,
      because: decision.because,
      canaryWeightPercent: routeWeight(s),
      ...(state === undefined ? {} : { step: carriedIndex(s) + 1, attempt: state.attempt }),
      ...(next.kind === 'write' ? { action: next.action.kind } : {}),
      ...(s.verdict === undefined ? {} : { verdict: s.verdict.kind, evidence: s.verdict.evidence }),
    },
    next.kind === 'wait' ? 'waiting' : 'decided',
  );
}

function tellMetrics(s: Snapshot, decision: Decision, memory: RolloutMemory, parts: Parts): void {
  const { namespace, name: deployment } = s.deployment;
  const rollout = { namespace, deployment };
  const state = stateOf(s);
  if (memory.decision?.rule !== decision.rule) parts.metrics.decided(decision.rule);
  if (state === undefined) return tellWithdrawn(s, memory, parts);
  if (memory.ended) return;
  if (!memory.counted) {
    memory.counted = true;
    parts.metrics.rolloutStarted(rollout);
  }
  parts.metrics.rollout(rollout, {
    phase: decision.phase,
    weight: routeWeight(s),
    step: Math.max(0, carriedIndex(s) + 1),
    steps: state.spec.steps.length,
    exposedRequests: state.exposedRequests,
    failedRequests: state.failedRequests,
    hold: decision.phase === 'holding' ? holdReason(s, decision) : undefined,
  });
  const { verdict } = s;
  if (verdict === undefined) return;
  parts.metrics.checks(rollout, () => checkFigures(s, state, verdict, parts.polls));
}

/** Made when the page is read: its intervals take long, and most passes are seen by nobody. */
function checkFigures(
  s: Snapshot,
  state: RolloutState,
  verdict: Verdict,
  polls: PollBook,
): readonly CheckFigures[] {
  const summaries = checkSummaries(s);
  const poll = polls.last(keyOf(s), pollsOf(state));
  return verdict.checks.map((check, i) => {
    const excess = poll?.checks.find((one) => one.check === check.check)?.excess();
    return {
      check: check.check,
      dryRun: check.dryRun,
      verdict: verdict.kind,
      canaryRatio: summaries[i]?.canaryRatio ?? 0,
      stableRatio: summaries[i]?.stableRatio ?? 0,
      // A dry run adds nothing to the test, and is there to be seen.
      evidence: check.dryRun ? check.evidence : check.adds,
      evidenceThreshold: verdict.threshold,
      promotionEvidence: check.promotion ?? 0,
      promotionThreshold: check.promotionNeeded,
      ...(excess ? { excess } : {}),
    };
  });
}

/** Gone without an end of its own: taken back, or another revision took its place. */
function tellWithdrawn(s: Snapshot, memory: RolloutMemory, parts: Parts): void {
  if (!memory.counted || memory.ended) return;
  memory.ended = true;
  parts.metrics.forget({ namespace: s.deployment.namespace, deployment: s.deployment.name });
  parts.polls.end(keyOf(s));
}

type ToldByEvent = Exclude<Notice['kind'], 'started'>;

const eventReasons: Readonly<Record<ToldByEvent, string>> = {
  rollback: 'CanaryRolledBack',
  promotion: 'CanaryPromoted',
  hold: 'CanaryHeld',
  paused: 'CanaryPaused',
  invalid: 'CanaryInvalid',
  superseded: 'CanarySuperseded',
};

function tellEvent(s: Snapshot, notice: Notice, kind: ToldByEvent, parts: Parts): void {
  const calm = kind === 'promotion' || kind === 'superseded';
  parts.events.record({
    subject: aboutDeployment(s.deployment),
    type: calm ? 'Normal' : 'Warning',
    id: notice.id,
    reason: eventReasons[kind],
    message: eventMessage(notice),
  });
}

/** Ends with how much worse the canary is, where that is known. */
function eventMessage(notice: Notice): string {
  if (notice.kind === 'invalid') return notice.because;
  return [`revision ${notice.revision}: ${notice.because}`, ...blamed(notice)].join('; ');
}

/** Evidence that was counted is gone, and the rest of the rollout needs more of it to roll back. */
export function tellLoss(
  s: Snapshot,
  { alphaShare }: EvidenceState,
  memory: RolloutMemory,
  parts: Pick<Parts, 'events'>,
): void {
  if (memory.alphaTold === alphaShare) return;
  memory.alphaTold = alphaShare;
  parts.events.record({
    subject: aboutDeployment(s.deployment),
    type: 'Warning',
    reason: 'CanaryEvidenceLost',
    message: `revision ${stateOf(s)?.revision}: ${lossWords(alphaShare)}`,
  });
}

/** A request that is not acted on is answered once, with the reason. */
function tellRefusal(
  s: Snapshot,
  requestProblem: Problem | undefined,
  memory: RolloutMemory,
  parts: Parts,
): void {
  const message = requestProblem?.message ?? refusal(s);
  if (message === undefined || memory.refused === message) return;
  memory.refused = message;
  parts.events.record({
    subject: aboutDeployment(s.deployment),
    type: 'Warning',
    reason: 'RequestRefused',
    message,
  });
}
