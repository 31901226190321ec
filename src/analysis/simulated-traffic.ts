import type { Random } from '../lib/random.ts';
import type { Counts } from './counts.ts';
import type { PodHistory } from './dispersion.ts';
import { binomial, gamma, geometric, poisson } from './variates.ts';

/** Traffic and faults of a simulated service; rates are ratios, times in seconds from the start. */
export interface SimulatedService {
  /** Requests a second, both versions together. */
  readonly rps: number;
  readonly stableRate: number;
  readonly canaryRate: number;
  /** The canary has stable's rate before this moment. */
  readonly faultAt?: number;
  /** Errors come in bursts of this mean size; 1 = independent. */
  readonly burst?: number;
  /** The rate of each pod varies from minute to minute by this coefficient of variation. */
  readonly podVariation?: number;
  readonly stablePods?: number;
  readonly canaryPods?: number;
  /** Something both versions need fails. */
  readonly outage?: { readonly from: number; readonly to: number; readonly rate: number };
  /** `random`: each request by itself; `exact`: as weighted round robin splits. */
  readonly routing?: 'random' | 'exact';
}

/** Counts of one span at one canary share; remembers only what makes pods vary. */
export interface TrafficSource {
  counts(from: number, to: number, share: number): Counts;
}

export function simulatedTraffic(service: SimulatedService, random: Random): TrafficSource {
  const stablePods = pods(service, service.stablePods ?? 20, random);
  const canaryPods = pods(service, service.canaryPods ?? 3, random);
  let owed = 0;
  const split = (total: number, share: number) => {
    if (service.routing !== 'exact') return binomial(total, share, random);
    owed += total * share;
    const nc = Math.floor(owed);
    owed -= nc;
    return nc;
  };
  return {
    counts(from, to, share) {
      const total = poisson(service.rps * (to - from), random);
      const nc = split(total, share);
      const ns = total - nc;
      const sound = Math.min(1, Math.max(0, ((service.faultAt ?? 0) - from) / (to - from)));
      const faulty = sound * service.stableRate + (1 - sound) * service.canaryRate;
      return {
        nc,
        xc: canaryPods(nc, within(faulty, service, from, to), from),
        ns,
        xs: stablePods(ns, within(service.stableRate, service, from, to), from),
      };
    },
  };
}

/** Stable alone before a rollout, pod by pod, in cells of `cell` seconds: φ̂ comes from it. */
export function simulatedHistory(
  service: SimulatedService,
  span: number,
  cell: number,
  random: Random,
): readonly PodHistory[] {
  const count = service.stablePods ?? 20;
  const mean = (service.rps * cell) / count;
  return Array.from({ length: count }, () => {
    let factor = 1;
    return Array.from({ length: Math.ceil(span / cell) }, (_, i) => {
      if ((i * cell) % 60 < cell) factor = gamma(service.podVariation ?? 0, random);
      const requests = poisson(mean, random);
      const rate = Math.min(1, service.stableRate * factor);
      return { requests, bad: failures(requests, rate, service, random) };
    });
  });
}

/** A rate with the outage's part of the span added. */
function within(rate: number, { outage }: SimulatedService, from: number, to: number): number {
  if (outage === undefined) return rate;
  const overlap = Math.max(0, Math.min(to, outage.to) - Math.max(from, outage.from));
  return rate + (1 - rate) * outage.rate * (overlap / (to - from));
}

type Failures = (requests: number, rate: number, from: number) => number;

/**
 * Requests of one version, spread over its pods at random: given the pods' rates, each fails by
 * itself with their mean rate, so that one draw stands for all pods.
 */
function pods(service: SimulatedService, count: number, random: Random): Failures {
  const variation = service.podVariation ?? 0;
  if (variation === 0) return (requests, rate) => failures(requests, rate, service, random);
  let minute = -1;
  let factors: readonly number[] = [];
  return (requests, rate, from) => {
    if (Math.floor(from / 60) !== minute) {
      minute = Math.floor(from / 60);
      factors = Array.from({ length: count }, () => gamma(variation, random));
    }
    let sum = 0;
    for (const factor of factors) sum += Math.min(1, rate * factor);
    return failures(requests, sum / count, service, random);
  };
}

function failures(
  requests: number,
  rate: number,
  { burst = 1 }: SimulatedService,
  random: Random,
): number {
  // A burst of errors makes no sense where nearly everything fails.
  if (burst <= 1 || rate > 0.3) return binomial(requests, rate, random);
  let bad = 0;
  const bursts = poisson((requests * rate) / burst, random);
  for (let i = 0; i < bursts; i += 1) bad += geometric(burst, random);
  return Math.min(requests, bad);
}
