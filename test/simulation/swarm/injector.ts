import type { ClientFaults, RequestFault } from '../../../src/embedded/faults.ts';
import type { ApiRequest } from '../../../src/embedded/request.ts';
import { type Millis, millis } from '../../../src/lib/units.ts';
import type { Life, World } from '../world.ts';
import type { Fault, Span } from './plan.ts';

/** Makes the faults of a plan happen, and tells which of them did. */
export interface Injector {
  readonly clientFaults: ClientFaults;
  /** Where the next process dies, if there is one left that does. */
  nextCrash(): Extract<Fault, { readonly kind: 'crash' }> | undefined;
  /** The time of the release has come. */
  begin(processes: () => readonly Life[]): void;
  /** Nothing goes wrong from now on. */
  end(): void;
  /** Counts what the plan has made happen elsewhere. */
  note(kind: string, line: string): void;
  /** Faults that took place, by kind. */
  readonly injected: ReadonlyMap<string, number>;
  /** Where something could have gone wrong. */
  readonly places: Places;
}

/** Requests and events since the release, over all processes. */
export interface Places {
  readonly counts: Readonly<Record<'write' | 'read' | 'lease' | 'event', number>>;
  /** ms after the release at which each write was made. */
  readonly writtenAt: readonly number[];
  /** Numbers of the reads of lists. */
  readonly lists: readonly number[];
}

export function createInjector(
  world: World,
  faults: readonly Fault[],
  tell: (line: string) => void,
): Injector {
  const injected = new Map<string, number>();
  const note = (kind: string, line: string) => {
    injected.set(kind, (injected.get(kind) ?? 0) + 1);
    tell(line);
  };
  const crashes = faults.filter((fault) => fault.kind === 'crash');
  const seen = { write: 0, read: 0, lease: 0, event: 0 };
  const places = { counts: seen, writtenAt: [], lists: [] };
  const state: State = { begunAt: undefined, over: false, apiAway: 0, note, ...places };
  return {
    injected,
    places,
    note,
    clientFaults: clientFaults(world, faults, state),
    nextCrash: () => {
      return crashes.shift();
    },
    end: () => {
      state.over = true;
    },
    begin: (processes) => {
      state.begunAt = world.clock.monotonic();
      schedule(world, faults, state, processes);
    },
  };
}

interface State {
  begunAt: number | undefined;
  over: boolean;
  /** Outages of the API server that are under way. */
  apiAway: number;
  readonly note: (kind: string, line: string) => void;
  readonly counts: Record<keyof Places['counts'], number>;
  readonly writtenAt: number[];
  readonly lists: number[];
}

/** Requests and events are counted over all processes, from the release on. */
function clientFaults(world: World, faults: readonly Fault[], state: State): ClientFaults {
  const seen = state.counts;
  const isOn = () => state.begunAt !== undefined && !state.over;
  const due = <K extends keyof typeof seen>(kind: K) => {
    seen[kind] += 1;
    return faults.find((fault): fault is Extract<Fault, { readonly kind: K }> => {
      return fault.kind === kind && 'nth' in fault && fault.nth === seen[kind];
    });
  };
  return {
    onRequest: (request) => {
      if (state.apiAway > 0) return { kind: 'lose-request' };
      if (!isOn()) return undefined;
      const asked = kindOf(request);
      if (asked === 'write') state.writtenAt.push(world.clock.monotonic() - (state.begunAt ?? 0));
      const found = due(asked);
      const isList = asked === 'read' && !isOfOneObject(request);
      if (isList) state.lists.push(seen.read);
      if (found === undefined) return undefined;
      const { fault, kind } = found;
      if (fault.kind === 'stale' && !isList) return undefined;
      state.note(`${kind} ${fault.kind}`, `${request.method} ${request.path}: ${text(fault)}`);
      return fault.kind === 'stale' ? stale(world, fault.age) : fault;
    },
    onEvent: ({ object, type }) => {
      if (!isOn()) return undefined;
      const found = due('event');
      if (found?.kind !== 'event') return undefined;
      const { fault } = found;
      const { name } = object.metadata;
      state.note(`event ${fault.kind}`, `event ${type} ${object.kind} ${name}: ${text(fault)}`);
      return fault;
    },
  };
}

const kindOf = ({ method, path }: ApiRequest): 'write' | 'read' | 'lease' => {
  if (path.includes('/leases')) return 'lease';
  return method === 'GET' ? 'read' : 'write';
};

/**
 * Never stale: without a resourceVersion the API server reads it from etcd, with a quorum. Source:
 * Kubernetes API Concepts, "Resource versions".
 */
const isOfOneObject = ({ path }: ApiRequest): boolean => /\/namespaces\/[^/]+\/[^/]+\/./.test(path);

const stale = ({ cluster }: World, age: number): RequestFault => ({
  kind: 'stale',
  revision: Math.max(1, cluster.server.store.revision - age),
});

const text = (value: object): string =>
  Object.values(value)
    .map((one) => String(one))
    .join(' ');

function schedule(
  world: World,
  faults: readonly Fault[],
  state: State,
  processes: () => readonly Life[],
): void {
  const during = (kind: string, { from, to }: Span, begin: () => () => void) => {
    world.clock.after(millis(from), () => {
      const end = begin();
      state.note(kind, `${kind} for ${to - from} ms`);
      world.clock.after(millis(to - from), () => {
        end();
      });
    });
  };
  for (const fault of faults) {
    switch (fault.kind) {
      case 'prometheus':
        during(`prometheus ${fault.code}`, fault.span, () => {
          world.traffic.outage = fault.code;
          return () => {
            world.traffic.outage = false;
          };
        });
        break;
      case 'slow-gateway':
        during(fault.kind, fault.span, () => slowGateway(world));
        break;
      case 'no-gateway':
        during(fault.kind, fault.span, () => noGateway(world));
        break;
      case 'no-route-accept':
        during(`${fault.kind} ${fault.condition}`, fault.span, () => {
          world.refused = fault.condition;
          return () => {
            world.refused = undefined;
          };
        });
        break;
      case 'no-api':
        during(fault.kind, fault.span, () => noApi(world, state));
        break;
      case 'stall':
        during(fault.kind, fault.span, () => processes()[fault.process]?.stall() ?? nothing);
        break;
      case 'expire-watches':
      case 'end-watches':
        world.clock.after(millis(fault.at), () => {
          const { watches } = world.cluster.server;
          state.note(fault.kind, fault.kind);
          if (fault.kind === 'end-watches') watches.endAll();
          else watches.expireAll();
        });
        break;
      default:
    }
  }
}

const nothing = () => undefined;

/** Within what the controller allows for: two seconds. */
const slowPropagation: Millis = millis(1800);
const usualPropagation: Millis = millis(500);

function slowGateway({ traffic }: World): () => void {
  traffic.propagation = slowPropagation;
  return () => {
    traffic.propagation = usualPropagation;
  };
}

/** Nobody answers for the route; the data plane goes on with what it has. */
function noGateway({ cluster, namespace }: World): () => void {
  const api = 'gateway.networking.k8s.io/v1';
  const change = (gatewayClassName: string) => {
    const gateway = cluster.find(api, 'gateways', namespace, 'gw');
    if (gateway === undefined) return;
    const { spec } = gateway as unknown as { readonly spec: object };
    cluster.apply({ ...gateway, spec: { ...spec, gatewayClassName } });
  };
  change('nobody');
  return () => change('sim');
}

function noApi({ cluster }: World, state: State): () => void {
  state.apiAway += 1;
  cluster.server.watches.endAll();
  return () => {
    state.apiAway -= 1;
  };
}
