import type {
  Notifier,
  NotifierFactory,
  NotifierForm,
  NotifierParts,
  NotifierSettings,
} from './notifier.ts';
import { createSlack } from './slack.ts';
import { createWebhook } from './webhook.ts';

/** Every notifier there is. The contract suite runs over this table. */
export const notifierFactories = {
  slack: createSlack,
  webhook: createWebhook,
} satisfies Record<NotifierForm, NotifierFactory>;

/** The notifiers of the admin's config, in its order. */
export const createNotifiers = (
  settings: readonly NotifierSettings[],
  parts: NotifierParts,
): readonly Notifier[] =>
  settings.map((entry) => ({
    ...notifierFactories[entry.kind](entry, parts),
    ...(entry.events === undefined ? {} : { events: entry.events }),
    ...(entry.timeout === undefined ? {} : { timeout: entry.timeout }),
  }));
