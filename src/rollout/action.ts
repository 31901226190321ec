import type { Percent } from '../lib/units.ts';
import type { Rejection } from './snapshot.ts';
import type { Outcome, RolloutState } from './state.ts';
import type { RouteMark } from './views.ts';

/**
 * One write. Everything the controller can do to the world is here; each is preconditioned on what
 * was observed.
 */
export type Action =
  | { readonly kind: 'delete-replica-set'; readonly name: string; readonly uid: string }
  | { readonly kind: 'mark-rollout'; readonly revision: string; readonly attempt: number }
  | { readonly kind: 'set-progressing'; readonly progressing: ProgressingCondition }
  | { readonly kind: 'create-canary'; readonly state: RolloutState }
  | { readonly kind: 'create-canary-service' }
  | { readonly kind: 'delete-canary-service'; readonly name: string }
  | { readonly kind: 'pin-service'; readonly podHash: string }
  | { readonly kind: 'unpin-service' }
  | { readonly kind: 'scale-canary'; readonly replicas: number; readonly outcome?: Outcome }
  | { readonly kind: 'attach-route' }
  | { readonly kind: 'record'; readonly state: RolloutState }
  /** The only action that can raise a weight; a compare-and-swap on the route's resourceVersion. */
  | { readonly kind: 'shift-route'; readonly from: Percent; readonly to: Percent }
  /** Takes traffic off, with the reason in the same patch; repeated on conflict, never refused. */
  | { readonly kind: 'cut-route'; readonly mark: RouteMark }
  | { readonly kind: 'flinch-route'; readonly to: Percent; readonly mark: RouteMark }
  /** Leaves the weight; a raise that was sent before and has not landed yet fails. */
  | { readonly kind: 'fence-route'; readonly mark: RouteMark }
  | { readonly kind: 'restore-route' }
  | { readonly kind: 'adopt-canary'; readonly state: RolloutState }
  | { readonly kind: 'scale-replica-set'; readonly name: string; readonly replicas: number }
  | { readonly kind: 'finish-rollout' }
  | { readonly kind: 'clear-state' }
  | { readonly kind: 'mark-rejected'; readonly rejection: Rejection }
  | { readonly kind: 'forget-rejection'; readonly attempt: number }
  | { readonly kind: 'revert-template' }
  | { readonly kind: 'pause-at-rest' }
  /** Null: what people were told of is over. */
  | { readonly kind: 'mark-notified'; readonly id: string | null }
  | { readonly kind: 'bootstrap' }
  | { readonly kind: 'opt-out' };

export type ActionKind = Action['kind'];

/**
 * The Deployment's `Progressing` condition as we set it, for `kubectl rollout status`, Helm and
 * Flux.
 */
export interface ProgressingCondition {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: 'NewReplicaSetAvailable' | 'ProgressDeadlineExceeded' | 'DeploymentPaused';
  readonly message: string;
}
