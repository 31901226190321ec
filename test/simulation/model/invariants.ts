import {
  type Cluster,
  canaryIndex,
  ladder,
  needed,
  ourHash,
  oursAt,
  stateAt,
  targetOf,
} from './cluster-state.ts';

// Safety of the mechanism study (I1–I13) and of the reliability study (S1–S7), as predicates of the
// abstract cluster. They know neither the rules nor the conditions.

/**
 * What is wrong with a state, whoever brought it about; undefined when all holds.
 * @param next kind of the write that a leader who sees this state makes at once
 */
export function wrongState(c: Cluster, next: string | undefined): string | undefined {
  const canary = canaryIndex(c);
  const set = oursAt(c, canary);
  if (c.weight > 0 && !c.byHand && c.weight > (ladder[c.earned] ?? 0))
    return `S2: ${c.weight} % without a pass for it`;
  const state = stateAt(c, canary);
  const isDriven = set?.kind === 'bare' && canary === c.record && !c.byHand && !c.podsFailed;
  if (isDriven && state !== undefined && c.weight > Math.max(targetOf(state), state.from))
    return `S1: ${c.weight} % and ${targetOf(state)} % recorded`;
  // Without weight a stale listing harms nobody, and the next pass takes it back.
  if (c.weight > 0 && (c.services & (1 << c.record)) === 0)
    return 'I2: the route names a Service that is not there';
  if (c.podsFailed) return undefined;
  const carrying = oursAt(c, c.record);
  if (c.weight > 0 && (carrying === undefined || carrying.available === 0))
    return `I1: ${c.weight} % for a canary without ready pods`;
  // A late pin cannot be kept from a Service whose pods go; the next write takes it back.
  const isRepaired = next === 'unpin-service' || next === 'pin-service';
  return leak(c) ?? (isRepaired ? undefined : emptyPin(c));
}

/** A bare canary is reached by the route alone; the Service leads there once all is shifted. */
function leak(c: Cluster): string | undefined {
  for (const [i, set] of c.ours.entries()) {
    if (set?.kind !== 'bare' || set.available === 0 || c.weight === 100 || c.byHand) continue;
    if (c.pin === '') return 'S1: the user’s Service leads to canary pods';
    // The flip before the adoption is undone before the weight goes down.
    if (c.pin === ourHash(i)) return 'I10: the Service leads to the canary and the route does not';
  }
  return undefined;
}

function emptyPin(c: Cluster): string | undefined {
  if (c.pin === '' || c.replicas === 0) return undefined;
  const isServed =
    c.native.some(
      (one, i) => one === 'full' && c.pin.endsWith(`native-${['aa', 'bb', 'cc'][i]}`),
    ) || c.ours.some((set, i) => set !== undefined && set.available > 0 && c.pin === ourHash(i));
  // Somebody resumed by hand: the pinned pods go, whatever we do (T5).
  const isOurs = c.paused || c.mode === 'on-change';
  return isServed || !isOurs || !c.optedIn ? undefined : 'I3: the Service is pinned to no pods';
}

/**
 * What is wrong with one write of ours. Where `late`, it was decided before something else changed:
 * a raise on its way when a pause is recorded, or the state is edited, still arrives. It was
 * recorded and earned before, and it is the only one.
 */
export function wrongWrite(
  kind: string,
  before: Cluster,
  after: Cluster,
  late = false,
): string | undefined {
  if (after.weight > before.weight) {
    const wrong = wrongRaise(before, after, late);
    if (wrong !== undefined) return wrong;
  }
  const canary = canaryIndex(before);
  const set = oursAt(before, canary);
  const now = oursAt(after, canary);
  if (kind === 'adopt-canary') {
    if (before.weight !== 100) return `I10: adopted at ${before.weight} %`;
    if (before.pin !== ourHash(canary)) return 'I10: adopted while the Service leads elsewhere';
    if (before.template !== canary) return 'I6: adopted is not what the Deployment asks for';
    if (before.native[canary] !== 'none') return 'I9: a twin is there';
    if ((before.rejected & (1 << canary)) !== 0) return 'S4: a rejected revision was adopted';
  }
  if (kind === 'scale-canary' && now !== undefined && set !== undefined && before.weight > 0) {
    const least = needed(before.replicas, before.weight);
    if (canary === before.record && now.replicas < Math.min(least, set.replicas))
      return `I10: ${now.replicas} pods for ${before.weight} %`;
  }
  // Once the Service leads to the canary no weight gives stable anything.
  const isLedAway = before.pin === ourHash(canary);
  if (kind === 'scale-replica-set' && before.weight < 100 && before.record >= 0 && !isLedAway)
    return 'I7: stable goes while it carries requests';
  if (kind === 'create-canary' && (before.rejected & (1 << before.template)) !== 0)
    return 'I12: a rejected revision is canaried again';
  return wrongCut(before, after);
}

function wrongRaise(before: Cluster, after: Cluster, late: boolean): string | undefined {
  const set = oursAt(before, before.record);
  const state = stateAt(before, before.record);
  if (state === undefined && late) return undefined;
  if (state === undefined) return `S13: raised to ${after.weight} % without state`;
  if (after.weight > targetOf(state)) return 'S6: raised before it was recorded';
  if ((before.rejected & (1 << before.record)) !== 0 || before.routeMark === 'rejected')
    return 'S4: a rejected revision was raised';
  const isUndone = before.made || before.weight < state.from;
  if (before.byHand && !state.paused && state.index >= 0 && isUndone)
    return 'S4: raised over somebody’s hand';
  const isSick = before.routeMark === 'sick' || before.routeMark === 'overdue';
  if (isSick && !before.podRestarted && !state.restarted && !state.taken)
    return 'S4: raised while the pod that fails alone is still there';
  if (state.paused && !late && before.request?.verb !== 'promote') return 'S4: raised while paused';
  if ((set?.available ?? 0) === 0 && !before.podsFailed)
    return 'I1: raised for a canary without ready pods';
  return undefined;
}

function wrongCut(before: Cluster, after: Cluster): string | undefined {
  if (after.weight >= before.weight || before.byHand) return undefined;
  const isRestored = after.record < 0;
  if (isRestored && oursAt(before, before.record)?.kind === 'bare')
    return `I10: restored at ${before.weight} %`;
  // What is more than recorded goes back to what is: the record is the reason.
  const state = stateAt(before, before.record);
  const isUnrecorded = state !== undefined && before.weight > targetOf(state);
  if (!isRestored && !isUnrecorded && after.routeMark === '')
    return 'S6: lowered without its reason';
  return undefined;
}
