import type { Clock } from '../lib/clock.ts';
import { isOperatingError } from '../lib/errors.ts';
import { type Millis, millis, seconds } from '../lib/units.ts';
import type { ObjectRef } from './api-path.ts';
import type { KubernetesClient } from './client.ts';
import { highestEpoch, type LeaseRecord, leaseRecord, microTime } from './lease-record.ts';
import type { RawObject } from './raw-object.ts';
import { apiVersionOf, resources } from './resources.ts';

/** Longest duration believed of another holder: a forged one must not lock us out for ever. */
const longestDuration: Millis = seconds(60);

export interface LeaseObjectOptions {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  readonly duration: Millis;
  readonly renewDeadline: Millis;
  /** Somebody else was seen to hold it. */
  readonly onHolder: (holder: string) => void;
}

/**
 * One Lease as we last saw it, and the three writes to it. Methods reject with `OperatingError`.
 */
export class LeaseObject {
  readonly #options: LeaseObjectOptions;
  readonly #ref: ObjectRef;
  readonly #timeout: Millis;
  #observed: { readonly record: LeaseRecord; readonly at: Millis } | undefined;
  #highestSeen = 0;

  constructor(options: LeaseObjectOptions) {
    this.#options = options;
    const { namespace, name } = options;
    this.#ref = { resource: resources.leases, namespace, name };
    this.#timeout = millis(Math.min(options.renewDeadline / 2, 5000));
  }

  get holder(): string {
    return this.#observed?.record.holder ?? '';
  }

  /** Takes the Lease if it is free; gives the new epoch, or `undefined` while another holds it. */
  async tryAcquire(signal: AbortSignal): Promise<number | undefined> {
    const { client, name, namespace } = this.#options;
    const found = await client.find(this.#ref, signal);
    if (found === undefined) {
      const epoch = this.#highestSeen + 1;
      const body = {
        apiVersion: apiVersionOf(resources.leases),
        kind: 'Lease',
        metadata: { name, namespace },
        spec: this.#claim(epoch),
      };
      const options = { timeout: this.#timeout };
      this.#observe(await client.create(resources.leases, namespace, body, options, signal));
      return epoch;
    }
    const record = this.#observe(found);
    if (!this.#isFree(record)) return undefined;
    const epoch = this.#highestSeen + 1;
    await this.#write(record, this.#claim(epoch), this.#timeout, signal);
    return epoch;
  }

  /** Extends the term; false when the Lease is gone or another's by now. */
  async renew(epoch: number, signal: AbortSignal): Promise<boolean> {
    let record = this.#observed?.record;
    while (record !== undefined && record.holder === this.#options.identity) {
      if (record.transitions !== epoch) return false;
      const spec = { renewTime: microTime(this.#options.clock.now()) };
      try {
        await this.#write(record, spec, this.#timeout, signal);
        return true;
      } catch (error) {
        if (isOperatingError(error, 'KUBERNETES_NOT_FOUND')) return false;
        if (!isChanged(error)) throw error;
      }
      // Somebody labelled it, or the answer to our own write was lost, or another took it: the
      // Lease itself tells.
      const before: string = record.resourceVersion;
      const found = await this.#options.client.find(this.#ref, signal);
      record = found === undefined ? undefined : this.#observe(found);
      if (record?.resourceVersion === before) return false;
    }
    return false;
  }

  /** Gives it back, so that the next leader need not wait; false when it was not ours. */
  async release(): Promise<boolean> {
    const record = this.#observed?.record;
    const { identity, clock } = this.#options;
    if (record === undefined || record.holder !== identity) return false;
    const renewTime = microTime(clock.now());
    const spec = { holderIdentity: '', leaseDurationSeconds: 1, renewTime };
    await this.#write(record, spec, seconds(2), new AbortController().signal);
    return true;
  }

  async #write(
    record: LeaseRecord,
    spec: object,
    timeout: Millis,
    signal: AbortSignal,
  ): Promise<void> {
    const { uid, resourceVersion } = record;
    const options = { uid, resourceVersion, timeout };
    this.#observe(await this.#options.client.mergePatch(this.#ref, { spec }, options, signal));
  }

  #claim(epoch: number): object {
    const { identity, duration, clock } = this.#options;
    const now = microTime(clock.now());
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.max(1, Math.ceil(duration / 1000)),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: epoch,
    };
  }

  #observe(raw: RawObject): LeaseRecord {
    const record = leaseRecord(raw);
    const before = this.#observed?.record;
    if (record.transitions < highestEpoch) {
      this.#highestSeen = Math.max(this.#highestSeen, record.transitions);
    }
    // Any change of the object counts as life, also one that is no renewal: the safe side is to
    // wait longer.
    const changed = before?.uid !== record.uid || before.resourceVersion !== record.resourceVersion;
    if (changed) this.#observed = { record, at: this.#options.clock.monotonic() };
    const { holder } = record;
    if (holder !== before?.holder && holder !== '' && holder !== this.#options.identity) {
      this.#options.onHolder(holder);
    }
    return record;
  }

  #isFree(record: LeaseRecord): boolean {
    // Our own name on it while we do not lead: the answer to our claim was lost.
    if (record.holder === '' || record.holder === this.#options.identity) return true;
    const theirs = seconds(record.durationSeconds ?? 0);
    const patience = Math.max(this.#options.duration, Math.min(theirs, longestDuration));
    const since = this.#observed?.at ?? this.#options.clock.monotonic();
    return this.#options.clock.monotonic() - since >= patience;
  }
}

const isChanged = (error: unknown): boolean =>
  isOperatingError(error, 'KUBERNETES_CONFLICT') || isOperatingError(error, 'KUBERNETES_INVALID');
