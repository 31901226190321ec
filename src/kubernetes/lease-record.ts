import { type Instant, toRfc3339 } from '../lib/units.ts';
import { isRecord, type RawObject } from './raw-object.ts';

/** What a Lease says, read leniently: somebody else may have written it. */
export interface LeaseRecord {
  /** Empty when nobody holds it. */
  readonly holder: string;
  readonly durationSeconds: number | undefined;
  readonly renewTime: string;
  /** The epoch: how often the lease has changed hands. */
  readonly transitions: number;
  readonly uid: string;
  readonly resourceVersion: string;
}

/**
 * `leaseTransitions` is an int32; a value this high was not counted, it was forged, and the next
 * would not be taken.
 */
export const highestEpoch = 2_147_483_000;

export function leaseRecord(raw: RawObject): LeaseRecord {
  const spec = isRecord(raw['spec']) ? raw['spec'] : {};
  const { holderIdentity, leaseDurationSeconds, renewTime, leaseTransitions } = spec;
  const transitions = Number.isInteger(leaseTransitions) ? Number(leaseTransitions) : 0;
  return {
    holder: typeof holderIdentity === 'string' ? holderIdentity : '',
    durationSeconds: typeof leaseDurationSeconds === 'number' ? leaseDurationSeconds : undefined,
    renewTime: typeof renewTime === 'string' ? renewTime : '',
    transitions: Math.max(0, transitions),
    uid: raw.metadata.uid ?? '',
    resourceVersion: raw.metadata.resourceVersion ?? '',
  };
}

/** The API server takes a MicroTime with exactly six digits of a second. */
export const microTime = (moment: Instant): string => toRfc3339(moment).replace('Z', '000Z');
