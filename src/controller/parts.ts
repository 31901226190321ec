import type { Clock } from '../lib/clock.ts';
import type { Millis } from '../lib/units.ts';
import type { MetricSource } from '../metric-sources/metric-source.ts';
import type { CompiledCheck } from '../metric-sources/template.ts';
import type { Action } from '../rollout/action.ts';
import type { Notice } from '../rollout/notice.ts';
import type { Snapshot } from '../rollout/snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Cluster } from './cluster.ts';
import type { Effects } from './effects.ts';
import type { EventSink } from './event-sink.ts';
import type { RolloutMemory } from './memory.ts';
import type { PauseProbe } from './pause-probe.ts';
import type { PollBook } from './poll-book.ts';
import type { Sampler } from './sampler.ts';
import type { Settings } from './settings.ts';

/** What a pass works with. */
export interface Parts {
  readonly clock: Clock;
  readonly cluster: Cluster;
  readonly settings: Settings;
  readonly probe: PauseProbe;
  readonly effects: Effects;
  readonly sampler: Sampler;
  /** What people may look back at; no decision reads it. */
  readonly polls: PollBook;
  readonly sources: ReadonlyMap<string, MetricSource>;
  readonly checks: ReadonlyMap<string, CompiledCheck>;
  /** Hands a notice over; the key is woken when its fate is known. */
  enqueue(notice: Notice, key: string): void;
  readonly events: EventSink;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Asks for a pass over this Deployment at once. */
  wake(key: string): void;
  /** Another rollout: nothing remembered of the last one is true of it. */
  forget(memory: RolloutMemory, rollout: string): void;
  /** After a write was accepted. */
  acted(action: Action, s: Snapshot, memory: RolloutMemory, started: Millis): void;
}
