import { createHmac } from 'node:crypto';
import { type Instant, toRfc3339 } from '../lib/units.ts';
import type { Notice } from '../rollout/notice.ts';
import { linkTo, type NotifierFactory, type NotifierSettings } from './notifier.ts';
import { post } from './post.ts';
import { readSecret, readSecretUrl, type Secret } from './secret.ts';

/**
 * Generic webhook: one CloudEvents 1.0 event in structured mode. `Idempotency-Key` is the notice's
 * id, the same at every try and after a restart. With a key file it is signed as Standard Webhooks
 * 1.0 says.
 */
export const createWebhook: NotifierFactory = (settings, parts) => ({
  name: settings.name,
  send: async (notice, signal) => {
    const url = await readSecretUrl(settings.urlFile, parts.readFile);
    const body = JSON.stringify(cloudEvent(notice, settings));
    const id = headerSafe(notice.id);
    const signed =
      settings.hmacKeyFile === undefined
        ? {}
        : signature(await readSecret(settings.hmacKeyFile, parts.readFile), {
            id,
            body,
            at: parts.clock.now(),
          });
    const headers = {
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'idempotency-key': id,
      ...signed,
    };
    await post({ url, body, headers }, parts.clock, signal);
  },
});

/** The event. Names in `data` carry their units; `source` and `id` together are unique. */
export function cloudEvent(notice: Notice, settings: Pick<NotifierSettings, 'cluster' | 'link'>) {
  const { namespace, deployment, metric } = notice;
  const authority =
    settings.cluster === undefined ? '' : `//${encodeURIComponent(settings.cluster)}`;
  const path = `namespaces/${encodeURIComponent(namespace)}/deployments/${encodeURIComponent(deployment)}`;
  return {
    specversion: '1.0',
    id: notice.id,
    source: `${authority}/apis/apps/v1/${path}`,
    type: `dev.haldane.rollout.${notice.kind}`,
    subject: `${namespace}/${deployment}`,
    time: toRfc3339(notice.at),
    datacontenttype: 'application/json',
    data: {
      kind: notice.kind,
      namespace,
      deployment,
      revision: notice.revision,
      attempt: notice.attempt,
      images: notice.images,
      rule: notice.rule,
      because: notice.because,
      weightPercent: notice.weight,
      step: notice.step,
      steps: notice.steps,
      ...(metric === undefined
        ? {}
        : {
            metric: {
              check: metric.check,
              canaryRatio: metric.canary,
              stableRatio: metric.stable,
              // Of restarts, which are no share of anything.
              ...(metric.per === undefined ? {} : { per: metric.per }),
              evidence: metric.evidence,
              threshold: metric.threshold,
              ...(metric.excess === undefined
                ? {}
                : { excessLow: metric.excess.low, excessHigh: metric.excess.high }),
            },
          }),
      exposedRequests: notice.exposedRequests,
      failedRequests: notice.failedRequests,
      durationSeconds: notice.duration / 1000,
      ...(settings.link === undefined ? {} : { link: linkTo(settings, notice) }),
    },
  };
}

/**
 * Headers of Standard Webhooks: HMAC-SHA-256 over `id.timestamp.body`. A key that begins with
 * `whsec_` is base64, any other is taken as it is.
 */
export function signature(
  key: Secret,
  message: { readonly id: string; readonly body: string; readonly at: Instant },
): Readonly<Record<string, string>> {
  const text = key.reveal();
  const bytes = text.startsWith('whsec_')
    ? Buffer.from(text.slice(6), 'base64')
    : Buffer.from(text);
  const timestamp = String(Math.floor(message.at / 1000));
  const content = `${message.id}.${timestamp}.${message.body}`;
  return {
    'webhook-id': message.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${createHmac('sha256', bytes).update(content).digest('base64')}`,
  };
}

/** An id as a header carries it: printable ASCII, everything else percent-encoded. */
const headerSafe = (id: string): string =>
  id.replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character.toWellFormed()));
