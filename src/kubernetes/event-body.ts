import { createHash } from 'node:crypto';
import { type Instant, toRfc3339 } from '../lib/units.ts';

/** The object an Event is about. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface EventInput {
  readonly subject: EventSubject;
  readonly type: 'Normal' | 'Warning';
  /** One word in CamelCase. */
  readonly reason: string;
  /** Cut to 1 KiB. */
  readonly message: string;
  /**
   * Names one occurrence: it is recorded once, by whichever process, however often it is reported.
   * Without an id equal events are counted.
   */
  readonly id?: string;
}

const messageBytes = 1024;
const reasonLength = 128;
/** Leaves room in 253 characters for a dot and the hash. */
const subjectLength = 230;

/**
 * The same for the same occurrence, so that a restarted controller meets its own Event instead of
 * repeating it.
 */
export function eventName(event: EventInput): string {
  const { subject, type, reason, message, id } = event;
  const what = id === undefined ? ['series', type, reason, message] : ['id', id];
  const hash = createHash('sha256').update(JSON.stringify([subject.uid, ...what]));
  const name = subject.name.slice(0, subjectLength).replace(/[-.]+$/, '');
  return `${name}.${hash.digest('hex').slice(0, 16)}`;
}

/**
 * A core/v1 Event: `kubectl describe` shows its count and age, which it does not for an
 * events.k8s.io series.
 */
export function eventBody(
  event: EventInput,
  times: { readonly first: Instant; readonly last: Instant; readonly count: number },
  instance: string,
): object {
  const { subject, type, reason, message } = event;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: eventName(event), namespace: subject.namespace },
    involvedObject: subject,
    type,
    reason: reason.slice(0, reasonLength),
    message: clipBytes(message, messageBytes),
    source: { component: 'haldane' },
    reportingComponent: 'haldane',
    reportingInstance: instance.slice(0, 128),
    firstTimestamp: wholeSeconds(times.first),
    lastTimestamp: wholeSeconds(times.last),
    count: times.count,
  };
}

/** What changes when an Event happens again. */
export const eventUpdate = (last: Instant, count: number): object => ({
  lastTimestamp: wholeSeconds(last),
  count,
});

const wholeSeconds = (moment: Instant) => toRfc3339(moment).replace(/\.\d+Z$/, 'Z');

/** At most `limit` bytes of UTF-8, never half a character. */
export function clipBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text.toWellFormed());
  if (bytes.length <= limit) return bytes.toString();
  const room = limit - Buffer.byteLength('…');
  const cut = bytes.subarray(0, room).toString();
  return `${cut.replace(/\uFFFD$/, '')}…`;
}
