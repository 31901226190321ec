import type { NotifierFactory } from './notifier.ts';
import { linkTo } from './notifier.ts';
import { post } from './post.ts';
import { readSecretUrl } from './secret.ts';
import { slackMessage } from './slack-message.ts';

/**
 * Slack incoming webhook, and whatever speaks its language (Mattermost, Rocket.Chat, Discord's
 * `/slack`). Slack knows no idempotency key: a try that it accepted after our time-out is seen
 * twice.
 */
export const createSlack: NotifierFactory = (settings, parts) => ({
  name: settings.name,
  send: async (notice, signal) => {
    const url = await readSecretUrl(settings.urlFile, parts.readFile);
    const context = { cluster: settings.cluster, link: linkTo(settings, notice) };
    const body = JSON.stringify(slackMessage(notice, context));
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    await post({ url, body, headers }, parts.clock, signal);
  },
});
