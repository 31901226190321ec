import type { RuleName } from '../rollout/decide.ts';

/** What a rule of the decision table means for people, and what would change its mind. */
export interface RuleWords {
  readonly means: string;
  readonly next: string;
}

/** A rule without words does not compile. */
export const ruleWords: Readonly<Record<RuleName, RuleWords>> = {
  promotionOverturned: {
    means: 'The template became the stable one again while the canary was being adopted.',
    next: 'Stable serves all requests again; the canary is taken away without blame.',
  },
  promotionUnderWay: {
    means: 'The Deployment has taken over the pods of the canary; there is no way back any more.',
    next: 'The old pods go, the route gets back what it was.',
  },
  rollbackUnderWay: {
    means: 'All requests go to stable; the canary is being taken away.',
    next: 'Afterwards the template stays marked as rejected. "haldane retry" tries it again.',
  },
  optedOut: {
    means: 'The opt-in annotation is gone.',
    next: 'The Deployment gets back what it had; then haldane leaves it alone.',
  },
  retryRequested: {
    means: 'Somebody asked to try the rejected template again.',
    next: 'A new attempt begins at the first step.',
  },
  rejectedBefore: {
    means: 'This template was rolled back. Stable serves all requests.',
    next: 'Deploy a fix, or try it again with "haldane retry".',
  },
  nothingToCompare: {
    means: 'No stable ReplicaSet serves, so there is nothing to compare a canary with.',
    next: 'As soon as one serves, the next template is a canary.',
  },
  resumedByHand: {
    means: 'Somebody resumed the Deployment during the rollout, so it rolls natively.',
    next: 'The canary is taken away; the next template is a canary again.',
  },
  templateReverted: {
    means: 'The template is the stable one again.',
    next: 'The canary is taken away without blame.',
  },
  templateMutated: {
    means: 'Something in the cluster changes ReplicaSets: what is tested is not what would run.',
    next: 'Exempt ReplicaSets from the admission webhook or policy that does it; then retry.',
  },
  templateChanged: {
    means: 'A newer template takes the place of this canary.',
    next: 'The newer one starts at the first step.',
  },
  withdrawalUnderWay: {
    means: 'This canary was being taken away when its template was asked for again.',
    next: 'It is taken away to the end; then a canary of that template begins anew.',
  },
  unchanged: { means: 'The template has not changed.', next: 'The next change is a canary.' },
  invalid: {
    means:
      'The annotations, or what they point at, are wrong. Nothing starts; traffic is as it was.',
    next: 'Mend what is listed; haldane notices by itself.',
  },
  rolledNatively: {
    means: 'A native rollout is under way, from before haldane or past it.',
    next: 'When it has ended, the next template is a canary.',
  },
  stateUnreadable: {
    means: 'The record of the rollout was changed or cannot be read, so it is not safe to go on.',
    next: 'The canary is taken away; "haldane retry" begins anew.',
  },
  canaryLost: {
    means: 'The ReplicaSet of the canary was deleted by somebody else.',
    next: 'The route goes back to stable; then the template is tried anew.',
  },
  rollbackRequested: {
    means: 'Somebody asked to roll back.',
    next: 'All requests go to stable at once.',
  },
  podsBroken: {
    means: 'Pods of the canary crash, are killed for memory, or cannot pull their image.',
    next: 'See: kubectl get pods, kubectl logs --previous.',
  },
  evidenceWorse: {
    means: 'The evidence says that the canary is worse than stable by more than is tolerated.',
    next: 'It is rolled back. The checks above name the metric to look at.',
  },
  sickPod: {
    means: 'All the evidence against the canary rests upon one of its pods.',
    next: 'All requests go to stable, and the pod that is named should be restarted.',
  },
  flinch: {
    means: 'A strong suspicion: the weight is lowered before it is proved.',
    next: 'It goes up again when the suspicion fades, and back to stable when it is proved.',
  },
  podsNotReady: {
    means: 'Pods of the canary did not become available in time.',
    next: 'See: kubectl describe pod. The time is limits.canaryReady of the configuration.',
  },
  routeRefused: {
    means: 'The gateway does not accept the route with the canary in it.',
    next: 'See the conditions of the route: kubectl get httproute -o yaml.',
  },
  weightChangedByHand: {
    means: 'Somebody else changed the weight on the route.',
    next: 'A lower weight is kept, and the rollout is paused: "haldane resume" goes on.',
  },
  pauseRequested: { means: 'Somebody asked to pause.', next: '"haldane resume" goes on.' },
  resumeRequested: { means: 'Somebody asked to go on.', next: 'Judging goes on at this step.' },
  promoteRequested: {
    means: 'Somebody asked to promote at once.',
    next: 'The canary gets all requests; its pods are kept.',
  },
  promoting: {
    means: 'Every step has passed.',
    next: 'The canary gets as many pods as stable, then all requests; then the old pods go.',
  },
  paused: { means: 'A person holds the rollout.', next: '"haldane resume" goes on.' },
  restartAwaited: {
    means: 'One canary pod failed alone. The canary has no traffic until that pod is restarted.',
    next: 'kubectl delete pod, and the rollout goes on; left as it is, the release is rolled back.',
  },
  flinched: {
    means: 'The weight is kept low while a suspicion lasts.',
    next: 'It goes up again when the suspicion fades, and back to stable when it is proved.',
  },
  skipRequested: {
    means: 'Somebody asked to skip the rest of this step.',
    next: 'The weight of the next step follows.',
  },
  firstStep: {
    means: 'The canary is being brought up. It has no traffic yet.',
    next: 'It begins when its pods are available and the gateway has accepted the route.',
  },
  weightNotInForce: {
    means: 'The route was written; the gateway has not confirmed it yet.',
    next: 'The step begins when the weight is in force.',
  },
  cannotJudge: {
    means:
      'There is no answer that may be judged, so nothing is raised and nothing is rolled back.',
    next: 'It goes on by itself when data is back; "haldane rollback" ends it.',
  },
  stepTooLong: {
    means: 'No verdict within the longest time of a step.',
    next: 'A person must decide: "haldane promote", "haldane rollback" or more traffic.',
  },
  baking: {
    means: 'The last step has passed; it is watched a while longer.',
    next: 'Then it is promoted, unless evidence against it turns up.',
  },
  stepPassed: {
    means: 'The evidence says that the next step cannot hurt users by more than is tolerated.',
    next: 'The weight of the next step follows.',
  },
  gathering: {
    means: 'Requests are being counted: there is not enough evidence for either side.',
    next: 'More requests of the canary decide.',
  },
};

/** Words for what decided last; once it is rejected, what comes next is up to people. */
export function wordsFor(rule: string, phase: string): RuleWords | undefined {
  if (!Object.hasOwn(ruleWords, rule)) return undefined;
  const words = ruleWords[rule as RuleName];
  return phase === 'rejected' ? { ...words, next: ruleWords.rejectedBefore.next } : words;
}
