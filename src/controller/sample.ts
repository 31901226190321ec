import type { CheckPrior } from '../analysis/counts.ts';
import type { GaugePolicy } from '../analysis/policy.ts';
import { restartPrior } from '../analysis/restart-counts.ts';
import { sleep } from '../lib/clock.ts';
import { describeSpan, type Millis, seconds } from '../lib/units.ts';
import type { EvidenceNames } from '../metric-sources/metric-source.ts';
import type { Decision } from '../rollout/decision.ts';
import { type Snapshot, stateOf, wantedRevision } from '../rollout/snapshot.ts';
import { gaugePolicy, policyOf } from './analysis-policy.ts';
import { aboutDeployment } from './event-sink.ts';
import { boundsOf, gaugePriorOf, priorOf, streamOf } from './evidence.ts';
import { rateOf } from './ladder.ts';
import { lookBack } from './look-back.ts';
import type { RolloutMemory } from './memory.ts';
import type { Parts } from './parts.ts';

export const keyOf = (s: Pick<Snapshot, 'deployment'>): string =>
  `${s.deployment.namespace}/${s.deployment.name}`;

/**
 * Evidence is wanted from the moment that canary pods are asked for until the rollout ends one way
 * or the other.
 */
export function sample(s: Snapshot, decision: Decision, memory: RolloutMemory, parts: Parts): void {
  const key = keyOf(s);
  const state = stateOf(s);
  const running = ['carry', 'hold', 'flinch', 'record', 'promote'].includes(decision.goal.kind);
  const names = namesOf(s);
  if (state === undefined || !running || s.adopted || names === undefined) {
    parts.sampler.remove(key);
    return;
  }
  if (!memory.askedPriors) {
    memory.askedPriors = true;
    void askPriors(s, names, memory, parts);
  }
  if (memory.bounds === undefined && state.bounds === null) return;
  const policy = policyOf(state, memory, parts);
  const checks = policy.checks.flatMap(({ name }) => parts.checks.get(name) ?? []);
  parts.sampler.set(key, {
    names,
    checks,
    stream: () => memory.stream ?? streamOf(state, policy),
    take: (readings) => {
      memory.inbox.push(readings);
      parts.wake(key);
    },
  });
}

function namesOf(s: Snapshot): EvidenceNames | undefined {
  const { canary, stable, service, route, deployment } = s;
  if (
    canary === undefined ||
    stable === undefined ||
    service === undefined ||
    route === undefined
  ) {
    return undefined;
  }
  return {
    namespace: deployment.namespace,
    deployment: deployment.name,
    route: route.name,
    port: service.ports[0] === undefined ? undefined : String(service.ports[0]),
    stable: { service: service.name, replicaSet: stable.name },
    canary: { service: s.canaryServiceName, replicaSet: canary.name },
  };
}

/** So long a source that is away is asked again what stable was like, and so often. */
const priorPatience = seconds(45);
const priorPause = seconds(5);

/**
 * Asks until the source has answered: a check that compares latency is left out of the whole
 * rollout without an answer, which a source that is away for a moment must not bring about.
 */
async function askPriors(
  s: Snapshot,
  names: EvidenceNames,
  memory: RolloutMemory,
  parts: Parts,
): Promise<void> {
  const { rollout } = memory;
  const end = parts.clock.monotonic() + priorPatience;
  while (!(await readPriors(s, names, memory, parts, parts.clock.monotonic() < end))) {
    await sleep(parts.clock, priorPause);
    if (memory.rollout !== rollout) return;
  }
}

/**
 * One look back at stable before the first weight: bad rates, dispersion, and the bucket bounds
 * worth comparing. Where there is no answer the tests are slower, and latency is not compared;
 * never wrong.
 * @returns false when bounds are still to be chosen and the source may answer later
 */
async function readPriors(
  s: Snapshot,
  names: EvidenceNames,
  memory: RolloutMemory,
  parts: Parts,
  isPatient: boolean,
): Promise<boolean> {
  const state = stateOf(s);
  const priors: Record<string, CheckPrior> = {};
  const bounds: Record<string, readonly number[]> = {};
  for (const name of state?.spec.checks ?? []) {
    const check = parts.checks.get(name);
    const isOfRestarts = parts.settings.config.checks.get(name)?.kind === 'restarts';
    if (isOfRestarts) priors[name] = restartPrior(s.pods.stable, s.now);
    if (check === undefined) continue;
    const gauge = gaugeOf(name, parts);
    const seen = await lookBack(check, names, parts.clock.now(), parts);
    if (seen === 'away' && isPatient && state?.bounds === null) return false;
    if (seen === 'away' || seen === undefined) continue;
    const { set, width } = seen;
    if (check.kind === 'ratio' || check.kind === 'histogram') memory.stableRate ??= rateOf(set);
    if (check.kind === 'histogram') {
      bounds[name] = state?.bounds?.[name] ?? boundsOf(set, objectiveOf(name, parts));
    }
    priors[name] =
      gauge === undefined ? priorOf(set, bounds[name], width) : gaugePriorOf(set, gauge);
  }
  memory.priors = priors;
  memory.bounds = state?.bounds ?? bounds;
  if (state?.bounds === null) tellSkipped(s, bounds, parts);
  parts.wake(keyOf(s));
  return true;
}

/** Who asked for a comparison must know that it is not made. */
function tellSkipped(
  s: Snapshot,
  bounds: Readonly<Record<string, readonly number[]>>,
  parts: Parts,
): void {
  const asked = stateOf(s)?.spec.checks ?? [];
  for (const name of asked.filter((one) => parts.checks.get(one)?.kind === 'histogram')) {
    const chosen = bounds[name];
    if (chosen !== undefined && chosen.length > 0) continue;
    const lacking =
      chosen === undefined
        ? 'its source told nothing of stable before the rollout'
        : lackOf(objectiveOf(name, parts));
    parts.events.record({
      subject: aboutDeployment(s.deployment),
      type: 'Warning',
      reason: 'CanaryCheckSkipped',
      message: `revision ${wantedRevision(s)}: ${name} is not compared in this rollout: ${lacking}`,
    });
  }
}

function lackOf(objective: Millis | undefined): string {
  const lacking = 'the history of stable shows no bucket that';
  return objective === undefined
    ? `${lacking} its requests exceed now and then`
    : `${lacking} ends at the objective of ${describeSpan(objective)} or above it`;
}

const objectiveOf = (name: string, { settings }: Pick<Parts, 'settings'>): Millis | undefined =>
  settings.config.checks.get(name)?.objective;

function gaugeOf(name: string, { settings }: Pick<Parts, 'settings'>): GaugePolicy | undefined {
  const check = settings.config.checks.get(name);
  return check?.kind === 'gauge-per-pod' ? gaugePolicy(check) : undefined;
}
