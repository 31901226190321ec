import type { Clock } from '../lib/clock.ts';
import type { Millis } from '../lib/units.ts';
import type { Notice, NoticeKind } from '../rollout/notice.ts';

/**
 * Tells somebody outside of the cluster about one notice. `test/contract/notifier.test.ts` checks
 * that it
 *  - makes one try per call and remembers nothing between calls
 *  - resolves when the other side has accepted the notice (2xx), whatever its answer's body does
 *  - rejects with `OperatingError` only: NOTIFY_THROTTLED, or NOTIFY_FAILED with `retry: 'never'`
 *    when the same notice would be refused again; `retryAfterMillis` where the other side asked for
 *    a pause
 *  - follows no redirect, asks no proxy, stops at once when the signal says so
 *  - never puts its secrets, nor the other side's answer, into an error
 *
 * A try that was cut short may have been accepted: a receiver that hangs may get a notice twice.
 */
export interface Notifier {
  /** Its name in the admin's config, and the metric label. */
  readonly name: string;
  /** Kinds of notices that it is meant for; absent: all. */
  readonly events?: readonly NoticeKind[];
  /** Longest time for one try; absent: the outbox's. */
  readonly timeout?: Millis;
  send(notice: Notice, signal: AbortSignal): Promise<void>;
}

export const notifierForms = ['slack', 'webhook'] as const;
export type NotifierForm = (typeof notifierForms)[number];

/** One entry of the admin's config. Secrets are paths of files, read afresh at each try. */
export interface NotifierSettings {
  readonly name: string;
  readonly kind: NotifierForm;
  /** File with the URL to post to; for Slack the URL is the credential. */
  readonly urlFile: string;
  /** File with the key that signs the body (`webhook` only). */
  readonly hmacKeyFile?: string;
  readonly events?: readonly NoticeKind[];
  readonly timeout?: Millis;
  /** Which cluster speaks, for people who run more than one. */
  readonly cluster?: string;
  /** Page about one rollout: `https://…/{namespace}/{deployment}`, both filled in URL-encoded. */
  readonly link?: string;
}

export interface NotifierParts {
  readonly clock: Clock;
  /** Text of a file; rejects when it cannot be read. */
  readonly readFile: (path: string) => Promise<string>;
}

export type NotifierFactory = (
  settings: NotifierSettings,
  parts: NotifierParts,
) => Pick<Notifier, 'name' | 'send'>;

/** The settings' link for this rollout, or `undefined` when none is configured. */
export function linkTo(
  settings: Pick<NotifierSettings, 'link'>,
  notice: Notice,
): string | undefined {
  return settings.link
    ?.replaceAll('{namespace}', encodeURIComponent(notice.namespace))
    .replaceAll('{deployment}', encodeURIComponent(notice.deployment));
}
