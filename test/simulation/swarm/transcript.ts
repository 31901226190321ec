import type { Change } from '../../../src/embedded/store.ts';
import { deploymentTruth, routeTruth, setTruth } from '../oracle-view.ts';
import type { World } from '../world.ts';

/** What happened, for people: a line for each change that matters, at seconds since the release. */
export interface Transcript {
  readonly lines: readonly string[];
  /** Time is told from here on. */
  begin(): void;
  tell(line: string): void;
}

export function createTranscript(world: World): Transcript {
  const lines: string[] = [];
  let begunAt = world.clock.monotonic();
  const tell = (line: string) => {
    const at = ((world.clock.monotonic() - begunAt) / 1000).toFixed(2);
    lines.push(`${at.padStart(8)}  ${line}`);
  };
  world.cluster.server.store.onCommit((change) => {
    if (change.object.metadata.namespace !== world.namespace) return;
    const before = change.previous === undefined ? '' : lineOf(change, change.previous);
    const after = change.type === 'DELETED' ? 'gone' : lineOf(change, change.object);
    if (after === before || after === undefined) return;
    tell(`${change.object.kind} ${change.object.metadata.name}: ${after}`);
  });
  return {
    lines,
    tell,
    begin: () => {
      begunAt = world.clock.monotonic();
    },
  };
}

/** One object in a few words; undefined for those that tell nothing. */
function lineOf({ object: { kind } }: Change, object: Change['object']): string | undefined {
  switch (kind) {
    case 'HTTPRoute': {
      const { weight, leastWeight, record, refs } = routeTruth(object);
      const few = Number(leastWeight.toFixed(1));
      const least = leastWeight < weight ? `, in a rule ${few} %` : '';
      const mark = record?.mark === undefined ? '' : `, marked ${record.mark.kind}`;
      const shares = refs.map(({ name, weight: share = 1 }) => `${name} ${share}`).join(', ');
      return `${Number(weight.toFixed(1))} % to the canary (${shares})${least}${mark}`;
    }
    case 'Deployment': {
      const { version, replicas, paused, annotations } = deploymentTruth(object);
      const marks = Object.keys(annotations)
        .filter((key) => key.startsWith('haldane.dev/'))
        .map((key) => key.slice('haldane.dev/'.length))
        .filter((key) => !['enabled', 'steps', 'checks'].includes(key));
      const rolls = paused ? 'paused' : 'rolls';
      return `${version}, ${replicas} replicas, ${rolls}, marks [${marks.sort().join(' ')}]`;
    }
    case 'ReplicaSet': {
      const { version, replicas, available, bare, owned, state } = setTruth(object);
      const whose = bare ? 'ours' : owned ? 'the Deployment’s' : 'nobody’s';
      const step = typeof state === 'object' ? `, step ${state.step.to} %` : '';
      return `${version}, ${available} of ${replicas} pods, ${whose}${step}`;
    }
    case 'Service': {
      const { selector = {} } = object.spec as { readonly selector?: Record<string, string> };
      return `selects ${JSON.stringify(selector)}`;
    }
    default:
      return undefined;
  }
}
