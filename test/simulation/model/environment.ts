import {
  type Cluster,
  canaryIndex,
  ladder,
  type Native,
  type Ours,
  oursAt,
  type Recorded,
  replaced,
  stateAt,
  steps,
  templates,
  type Verb,
} from './cluster-state.ts';

// What happens without us: Kubernetes, the gateway, time, samples, people, faults.

export interface Event {
  readonly name: string;
  readonly next: Cluster;
  /** It happens by itself if nothing else does: what liveness may rely on. */
  readonly fair: boolean;
}

export function eventsOf(c: Cluster): readonly Event[] {
  const ours = [...samples(c), ...sickPods(c)];
  return [...kubernetes(c), ...gateway(c), ...ours, ...people(c), ...faults(c)];
}

const event = (name: string, next: Cluster, fair = true): Event => ({ name, next, fair });
const withSet = (c: Cluster, index: number, change: Partial<Ours>): Cluster => ({
  ...c,
  ours: c.ours.map((set, i) => (i === index && set !== undefined ? { ...set, ...change } : set)),
});

function* kubernetes(c: Cluster): Iterable<Event> {
  for (const [i, set] of c.ours.entries()) {
    if (set === undefined) continue;
    if (set.kind === 'released') yield event('adoption', withSet(c, i, { kind: 'adopted' }));
    if (set.available < set.replicas && set.trouble !== 'broken') {
      const ready = { available: set.replicas, trouble: 'none' } as const;
      yield event('pods become ready', { ...withSet(c, i, ready), drained: false });
    }
    if (set.kind !== 'adopted') continue;
    if (set.replicas !== c.replicas) {
      const available = Math.min(set.available, c.replicas);
      const scaled = withSet(c, i, { replicas: c.replicas, available });
      yield event('the Deployment scales what it adopted', { ...scaled, drained: false });
    } else if (i === c.template && c.native.includes('full')) {
      yield event('the old ReplicaSet goes', { ...c, native: emptied(c), drained: false });
    }
  }
  yield* native(c);
  if (!c.stableReady) yield event('stable pods are ready', { ...c, stableReady: true });
  if (c.pin !== '' && !c.drained) yield event('endpoints settle', { ...c, drained: true });
}

const emptied = (c: Cluster): readonly Native[] =>
  c.native.map((one): Native => (one === 'full' ? 'empty' : one));

/** Not paused, a Deployment rolls; paused, it scales the one it has. */
function* native(c: Cluster): Iterable<Event> {
  const adopted = c.ours.some((set) => set?.kind === 'adopted');
  const isCurrent = c.native[c.template] === 'full' || oursAt(c, c.template)?.kind === 'adopted';
  const alone = c.native.filter((one) => one === 'full').length + Number(adopted) <= 1;
  if (!c.paused && !(isCurrent && alone)) {
    const others = emptied(c);
    const held = oursAt(c, c.template)?.kind === 'adopted';
    const next = held ? others : replaced(others, c.template, 'full');
    yield event('a native rollout', { ...c, native: next, progressing: 'native', drained: false });
  }
  if (!c.paused && c.progressing !== 'native' && isCurrent && alone)
    yield event('Progressing is native', { ...c, progressing: 'native', succeeded: 0 });
  const latest = c.native[c.template] === 'empty' ? c.template : c.native.indexOf('empty');
  if (c.paused && !adopted && c.replicas > 0 && !c.native.includes('full') && latest >= 0)
    yield event('the only ReplicaSet is scaled', {
      ...c,
      native: replaced(c.native, latest, 'full'),
    });
}

function* gateway(c: Cluster): Iterable<Event> {
  if (c.route === 'written' || c.route.startsWith('refused'))
    yield event('the gateway accepts', { ...c, route: 'accepted' });
  if (c.route === 'accepted') yield event('the data plane follows', { ...c, route: 'in-force' });
  if (c.route === 'refused')
    yield event('the gateway refuses for long', { ...c, route: 'refused-long' }, false);
}

/** A pod that fails alone is restarted by a person, or by nobody. */
function* sickPods(c: Cluster): Iterable<Event> {
  const state = stateAt(c, canaryIndex(c));
  if (c.routeMark === 'sick')
    yield event('nobody restarts the pod', { ...c, routeMark: 'overdue' });
  if (c.routeMark === 'sick' && !c.podRestarted)
    yield event('the pod is restarted', { ...c, podRestarted: true }, false);
  if (state === undefined || !state.inForce || state.restarted || c.flinch !== '') return;
  if (c.weight === 0 || c.route !== 'in-force' || !c.stableReady) return;
  if (state.index < steps.length && c.routeMark !== 'sick' && c.routeMark !== 'overdue')
    yield event('one pod fails alone', { ...c, flinch: 'sick' }, false);
}

/** A verdict is of the step in force and of the weight that the route carries. */
function* samples(c: Cluster): Iterable<Event> {
  const canary = canaryIndex(c);
  const state = stateAt(c, canary);
  if (state === undefined || c.weight === 0 || c.route !== 'in-force') return;
  const carried = carriedOf(state, c.weight);
  // A raise that was recorded and not shifted: the step before goes on.
  if (carried < 0 || (!state.inForce && carried === state.index)) return;
  const atStep = c.weight === ladder[carried + 1];
  if (c.verdict === 'none') {
    const earned = Math.max(c.earned, Math.min(carried + 2, steps.length + 1));
    if (atStep) yield event('a pass', { ...c, verdict: 'pass', earned });
    yield event('a failure', { ...c, verdict: 'fail' }, false);
    yield event('nothing can be judged', { ...c, verdict: 'guard' }, false);
  }
  if (c.verdict === 'guard') yield event('samples come again', { ...c, verdict: 'none' });
  if (!state.inForce || c.flinch !== '') return;
  if (atStep && c.routeMark === '' && c.weight > 5 && state.index < steps.length)
    yield event('a suspicion', { ...c, flinch: 'lower' }, false);
  if (c.routeMark === 'flinch') yield event('the suspicion ends', { ...c, flinch: 'return' });
}

/** People are told by whoever leads; another leader learns it from the record. */
export function delivered(c: Cluster): Event | undefined {
  const canary = canaryIndex(c);
  const state = stateAt(c, canary);
  if (state === undefined || state.delivered > 0) return undefined;
  const ended =
    (c.rejected & (1 << canary)) !== 0 || (c.ours[canary]?.kind !== 'bare' && canary >= 0);
  if (!ended) return undefined;
  return event('the notice is delivered', withSet(c, canary, { state: told(state) }));
}

const told = (state: Recorded): Recorded => ({ ...state, delivered: 1 });

const verbs: readonly Verb[] = ['promote', 'rollback', 'pause', 'resume', 'retry', 'skip-step'];

function* people(c: Cluster): Iterable<Event> {
  const notice = delivered(c);
  if (notice !== undefined) yield notice;
  if (c.userEdits > 0) {
    const userEdits = c.userEdits - 1;
    for (const template of templates.keys()) {
      if (template === c.template) continue;
      // The admission policy pauses in the same request; at rest it is paused anyway.
      const holds = c.mode === 'on-change' && c.optedIn && c.replicas > 0;
      const next = { ...c, template, paused: c.paused || holds, userEdits };
      yield event(`the user asks for ${templates[template]}`, next, false);
    }
    for (const replicas of [0, 2, 3]) {
      if (replicas === c.replicas) continue;
      const next = { ...c, replicas, drained: false, userEdits };
      yield event(`the user scales to ${replicas}`, next, false);
    }
    const optedIn = !c.optedIn;
    yield event(`the user opts ${optedIn ? 'in' : 'out'}`, { ...c, optedIn, userEdits }, false);
    if (c.mode === 'at-rest' && c.paused)
      yield event('the user resumes by hand', { ...c, paused: false, userEdits }, false);
  }
  if (c.requests > 0) yield* requests(c);
}

function* requests(c: Cluster): Iterable<Event> {
  const state = stateAt(c, canaryIndex(c));
  const carried = state === undefined ? -1 : carriedOf(state, c.weight);
  for (const verb of verbs) {
    if ((verb === 'retry') !== (state === undefined)) continue;
    const hasStep = verb === 'promote' || verb === 'skip-step';
    const request = { verb, of: c.template, step: hasStep ? Math.max(0, carried + 1) : -1 };
    const allowed = verb === 'promote' ? steps.length + 1 : carried + 2;
    const earned = hasStep ? Math.max(c.earned, Math.min(allowed, steps.length + 1)) : c.earned;
    yield event(`a person asks for ${verb}`, { ...c, request, earned, requests: 0 }, false);
  }
}

function carriedOf({ index, fromIndex, from, inForce }: Recorded, weight: number): number {
  if (inForce) return index;
  const to = [0, ...steps, 100][index + 1];
  return weight === to && from !== to ? index : fromIndex;
}

function* faults(c: Cluster): Iterable<Event> {
  if (c.faults === 0) return;
  const rest = { ...c, faults: c.faults - 1 };
  const canary = canaryIndex(c);
  const set = oursAt(c, canary);
  const written = { route: 'written', verdict: 'none', flinch: '' } as const;
  if (c.route === 'written' && c.record >= 0)
    yield event('the gateway refuses', { ...rest, route: 'refused' }, false);
  if (c.record >= 0 && c.weight > 5)
    yield event(
      'a hand lowers the weight',
      { ...rest, ...written, weight: 5, byHand: true },
      false,
    );
  if (c.record >= 0 && c.weight > 0 && c.weight < 50)
    yield event('a hand raises it', { ...rest, ...written, weight: 50, byHand: true }, false);
  if (c.stableReady && c.native.includes('full'))
    yield event('stable pods fail', { ...rest, stableReady: false, podsFailed: true }, false);
  if (set === undefined) return;
  const failing = { podsFailed: true, drained: false } as const;
  if (set.replicas > 0) {
    const broken = withSet(rest, canary, { available: 0, trouble: 'broken' });
    if (set.trouble === 'none') yield event('canary pods crash', { ...broken, ...failing }, false);
    const lost = { ...withSet(rest, canary, { available: 0 }), podRestarted: true };
    if (set.available > 0) yield event('canary pods are evicted', { ...lost, ...failing }, false);
    const late = withSet(rest, canary, { trouble: 'late' });
    if (set.available < set.replicas && set.trouble === 'none')
      yield event('canary pods are late', late, false);
  }
  if (set.state !== 'unreadable' && set.kind === 'bare')
    yield event('the state is edited', withSet(rest, canary, { state: 'unreadable' }), false);
  if (set.kind === 'bare') {
    const ours = replaced(c.ours, canary, undefined);
    const gone = { ...rest, ours, podsFailed: true, byHand: true, podRestarted: true };
    yield event('the ReplicaSet is deleted', gone, false);
  }
}
