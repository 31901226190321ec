import type { Action } from '../rollout/action.ts';
import type { Snapshot } from '../rollout/snapshot.ts';
import { confirmCanary } from './confirm-canary.ts';
import type { Effects } from './effects.ts';
import * as deployments from './write-deployment.ts';
import * as routes from './write-route.ts';
import * as workloads from './write-workload.ts';

/**
 * Performs one action, preconditioned on what the snapshot saw. Rejects with `OperatingError`; a
 * conflict means
 * that the world has moved on, and the next pass decides afresh: never just the write again (S7).
 */
export async function execute(
  action: Action,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  switch (action.kind) {
    case 'delete-replica-set':
      return workloads.deleteReplicaSet(action, s, effects, signal);
    case 'create-canary':
      return workloads.createCanary(action, s, effects, signal);
    case 'scale-canary':
      return workloads.scaleCanary(action, s, effects, signal);
    case 'record':
      return workloads.record(action.state, s, effects, signal);
    case 'adopt-canary':
      return workloads.adoptCanary(action.state, s, effects, signal);
    case 'scale-replica-set':
      return workloads.scaleReplicaSet(action, s, effects, signal);
    case 'clear-state':
      return workloads.clearState(s, effects, signal);
    case 'create-canary-service':
      return workloads.createCanaryService(s, effects, signal);
    case 'delete-canary-service':
      return workloads.deleteCanaryService(action.name, s, effects, signal);
    case 'pin-service':
      return workloads.pinService(action.podHash, s, effects, signal);
    case 'unpin-service':
      return workloads.pinService(null, s, effects, signal);
    case 'bootstrap':
      return workloads.bootstrap(s, effects, signal);
    default:
      return executeElsewhere(action, s, effects, signal);
  }
}

type Elsewhere = Extract<
  Action,
  {
    readonly kind:
      | 'attach-route'
      | 'shift-route'
      | 'cut-route'
      | 'flinch-route'
      | 'fence-route'
      | 'restore-route'
      | 'mark-rollout'
      | 'set-progressing'
      | 'finish-rollout'
      | 'mark-rejected'
      | 'forget-rejection'
      | 'revert-template'
      | 'pause-at-rest'
      | 'mark-notified'
      | 'opt-out';
  }
>;

async function executeElsewhere(
  action: Elsewhere,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  switch (action.kind) {
    case 'attach-route':
      return routes.attach(s, effects, signal);
    case 'shift-route':
      return routes.shift(action, s, effects, signal);
    case 'cut-route':
      await confirmReason(action.mark.rule, s, effects, signal);
      return routes.cut(action.mark, s, effects, signal);
    case 'flinch-route':
      return routes.flinch(action, s, effects, signal);
    case 'fence-route':
      return routes.fence(action.mark, s, effects, signal);
    case 'restore-route':
      return routes.restore(s, effects, signal);
    case 'mark-rollout':
      return deployments.markRollout(action, s, effects, signal);
    case 'set-progressing':
      return deployments.setProgressing(action.progressing, s, effects, signal);
    case 'finish-rollout':
      return deployments.finishRollout(s, effects, signal);
    case 'mark-rejected':
      await confirmReason(action.rejection.rule, s, effects, signal);
      await routes.confirmCut(s, effects, signal);
      return deployments.markRejected(action.rejection, s, effects, signal);
    case 'forget-rejection':
      return deployments.forgetRejection(action.attempt, s, effects, signal);
    case 'revert-template':
      return deployments.revertTemplate(s, effects, signal);
    case 'pause-at-rest':
      return deployments.pauseAtRest(s, effects, signal);
    case 'mark-notified':
      return deployments.markNotified(action.id, s, effects, signal);
    case 'opt-out':
      return deployments.optOut(s, effects, signal);
    default:
      return action satisfies never;
  }
}

/** A deadline rests upon events that did not come: what they would tell is read once more. */
async function confirmReason(
  rule: string,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  if (rule === 'podsNotReady') await confirmCanary(s, effects, signal);
  if (rule === 'routeRefused') await routes.confirmRefused(s, effects, signal);
}
