import { millis } from '../../../src/lib/units.ts';
import type { RequestVerb } from '../../../src/rollout/rollout-spec.ts';
import { autoscaler } from '../autoscaled.ts';
import { type SetTruth, viewOf } from '../oracle-view.ts';
import { editRoute, reweighed, reweighedInOne, routeEdits } from '../route-edits.ts';
import { container } from '../shop.ts';
import type { World } from '../world.ts';
import type { Act } from './plan.ts';

/** Does what the plan says people do; a request of a person is aimed at what is there then. */
export function scheduleActs(
  world: World,
  acts: readonly Act[],
  tell: (line: string) => void,
): void {
  let version = 'v2';
  for (const act of acts) {
    world.clock.after(millis(act.at), () => {
      if (world.deployment() === undefined) return;
      if (act.kind === 'release') version = act.version;
      tell(`somebody: ${Object.values(act).slice(1).join(' ')}`);
      void perform(world, act, version);
    });
  }
}

async function perform(world: World, act: Act, version: string): Promise<void> {
  switch (act.kind) {
    case 'release':
      return world.release(act.version);
    case 'scale':
      return world.patch({ spec: { replicas: act.replicas } });
    case 'autoscale':
      return world.scale(act.replicas);
    case 'hpa':
      world.cluster.apply(autoscaler(world.namespace, act));
      return;
    case 'load':
      world.traffic.rps = act.rps;
      return;
    case 'reweigh':
      return editRoute(world, reweighed(act.canaryPercent));
    case 'reweigh-one':
      return editRoute(world, reweighedInOne(act.canaryPercent));
    case 'own-rule':
    case 'own-filter':
    case 'reapply-route':
      return editRoute(world, routeEdits[act.kind]);
    case 'opt-out':
      return world.patch({ metadata: { annotations: { 'haldane.dev/enabled': null } } });
    case 'delete':
      return world.deleteDeployment();
    case 'delete-canary':
      return deleteCanary(world);
    case 'reapply':
      // As GitOps does: what stands in its manifest, and nothing else.
      return world.patch({
        metadata: { annotations: { 'haldane.dev/enabled': 'true' } },
        spec: { template: { spec: { containers: [container(version)] } } },
      });
    case 'request':
      return request(world, act.verb);
  }
}

/** What the Deployment has not been left yet. */
async function deleteCanary(world: World): Promise<void> {
  const canary = canaryOf(world);
  if (canary?.bare === true) await world.deleteReplicaSet(canary.name);
}

/** Asks as the command line does, naming the revision and the step that it would name. */
export async function request(world: World, verb: RequestVerb): Promise<void> {
  if (verb === 'retry') return retry(world);
  const canary = canaryOf(world);
  const state = canary?.state;
  if (canary === undefined || typeof state !== 'object') return;
  const { index, fromIndex, from, to, inForceAt } = state.step;
  const route = viewOf(world.cluster, world.namespace, 'web').route();
  const isMade = route?.weight === to && route.leastWeight === to && from !== to;
  const carried = inForceAt !== null || isMade ? index : fromIndex;
  const step =
    verb === 'promote' || verb === 'skip-step' ? ` step=${Math.max(0, carried + 1)}` : '';
  const text = `${verb} revision=${canary.hash}${step} id=at-${world.clock.monotonic()}`;
  await world.patch({ metadata: { annotations: { 'haldane.dev/request': text } } });
}

/** What was rejected last; nothing if there is no such thing. */
async function retry(world: World): Promise<void> {
  const { rejected = [] } = viewOf(world.cluster, world.namespace, 'web').deployment() ?? {};
  const revision = rejected.at(-1)?.revision;
  if (revision === undefined) return;
  const text = `retry revision=${revision} id=at-${world.clock.monotonic()}`;
  await world.patch({ metadata: { annotations: { 'haldane.dev/request': text } } });
}

export const canaryOf = (world: World): SetTruth | undefined =>
  viewOf(world.cluster, world.namespace, 'web')
    .sets()
    .find(({ state }) => state !== undefined);
