import { finestSchema } from './native-buckets.ts';
import type { Pod } from './pod-object.ts';

/**
 * How a pod behaves. Each setting is an environment variable of the pod's first container, and
 * an annotation `sim.test/<lower-case-with-hyphens>` overrides it at once on the living pod.
 */
export interface Behaviour {
  /** VERSION: answered in `x-version`; the image's tag unless set. */
  readonly version: string;
  /** ERROR_RATE, 0–1: share of requests answered with ERROR_STATUS. */
  readonly errorRate: number;
  /** ERROR_STATUS: 500 unless set. */
  readonly errorStatus: number;
  /** LATENCY_MS: added to each answer. */
  readonly latency: number;
  /** LATENCY_JITTER_MS: up to this much more, evenly spread. */
  readonly jitter: number;
  /**
   * HISTOGRAM_SCHEMA, 0–3: resolution of the native histogram of response times, with 2^schema
   * buckets for each doubling; 3 unless set. Client libraries lower it when they have too many.
   */
  readonly histogramSchema: number;
  /** MEMORY_MB: told as `process_resident_memory_bytes`; 100 unless set. */
  readonly memory: number;
  /** LEAK_MB_PER_S: grows by so much from its start on, and answers as ever. */
  readonly leak: number;
  /** START_DELAY_MS: from container start to ready; 100 unless set. */
  readonly startDelay: number;
  /** DRAIN_MS: keeps serving so long after it was told to end; 3000 unless set. */
  readonly drain: number;
  /** UNREADY=1: runs and serves, but is not ready. */
  readonly unready: boolean;
  /** CRASH=1: exits right after each start, and at once when it is switched on while running. */
  readonly crash: boolean;
  /** CRASH_AFTER_MS: exits so long after each start. */
  readonly crashAfter: number;
  /** CRASH_ONCE: each new value (of the annotation) makes the running container exit once. */
  readonly crashOnce: string;
  /** CRASH_REASON: `Error` (exit code 1) unless set, or `OOMKilled` (137). */
  readonly crashReason: string;
  /**
   * CRASH_BACKOFF_MS: wait before the second restart, doubled each time; 10 000 as the real one.
   */
  readonly crashBackoff: number;
  /** PULL_FAILURE=1, or an image tag that begins with `missing`: the image cannot be pulled. */
  readonly pullFailure: boolean;
}

/** Reads a pod's behaviour from its first container and its annotations. */
export function behaviourOf(pod: Pod): Behaviour {
  const [container] = pod.spec.containers;
  const env = new Map((container?.env ?? []).map(({ name, value }) => [name, value ?? '']));
  const annotations = pod.metadata.annotations ?? {};
  const text = (name: string, otherwise: string) =>
    annotations[`sim.test/${name.toLowerCase().replaceAll('_', '-')}`] ??
    env.get(name) ??
    otherwise;
  const number = (name: string, otherwise: number) => {
    const value = Number(text(name, String(otherwise)));
    return Number.isFinite(value) && value >= 0 ? value : otherwise;
  };
  const flag = (name: string) => ['1', 'true'].includes(text(name, ''));
  const tag = imageTag(container?.image ?? '');
  return {
    version: text('VERSION', tag),
    errorRate: number('ERROR_RATE', 0),
    errorStatus: number('ERROR_STATUS', 500),
    latency: number('LATENCY_MS', 0),
    jitter: number('LATENCY_JITTER_MS', 0),
    histogramSchema: Math.min(finestSchema, number('HISTOGRAM_SCHEMA', finestSchema)),
    memory: number('MEMORY_MB', 100),
    leak: number('LEAK_MB_PER_S', 0),
    startDelay: number('START_DELAY_MS', 100),
    drain: number('DRAIN_MS', 3000),
    unready: flag('UNREADY'),
    crash: flag('CRASH'),
    crashAfter: Number(text('CRASH_AFTER_MS', 'Infinity')),
    crashOnce: text('CRASH_ONCE', ''),
    crashReason: text('CRASH_REASON', 'Error'),
    crashBackoff: number('CRASH_BACKOFF_MS', 10_000),
    pullFailure: flag('PULL_FAILURE') || tag.startsWith('missing'),
  };
}

function imageTag(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  const colon = name.indexOf(':');
  return colon < 0 ? 'latest' : name.slice(colon + 1);
}
