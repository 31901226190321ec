import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Json, waitUntil } from './api.ts';
import type { Cluster } from './cluster.ts';

/** One message as it arrived, also when it was not accepted. */
export interface SlackMessage {
  /** Milliseconds since 1970. */
  readonly arrivedAt: number;
  readonly body: Json;
  /** The body as text, for a search in it. */
  readonly text: string;
  /** The status it was answered with; 0 when it was left without an answer. */
  readonly status: number;
}

/** What the server does with the next messages. */
export type SlackMood =
  | { readonly kind: 'accept' }
  /** Takes the message and never answers. */
  | { readonly kind: 'hang' }
  /** Answers with a status; 429 with `retryAfter`, in seconds. */
  | { readonly kind: 'refuse'; readonly status: number; readonly retryAfter?: number };

/** Stands in for Slack's incoming webhooks. */
export interface Slack {
  readonly url: string;
  /** A file with the URL, as the controller's configuration wants it. */
  readonly urlFile: string;
  /** Everything that arrived, oldest first. */
  readonly messages: readonly SlackMessage[];
  /** Only what was accepted. */
  accepted(): readonly SlackMessage[];
  behave(mood: SlackMood): void;
  /** Waits for an accepted message whose text has this part. */
  until(part: string | RegExp, timeout?: number): Promise<SlackMessage>;
  close(): Promise<void>;
}

export async function startSlack(cluster: Cluster): Promise<Slack> {
  const messages: SlackMessage[] = [];
  let mood: SlackMood = { kind: 'accept' };
  const server = createServer((request, response) => {
    void receive(request).then((text) => {
      const status = answer(response, mood);
      messages.push({ arrivedAt: Date.now(), body: parse(text), text, status });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/services/T0/B0/test`;
  const urlFile = join(cluster.files.run, `slack-url-${port}`);
  await writeFile(urlFile, `${url}\n`, { mode: 0o600 });
  const accepted = () => messages.filter(({ status }) => status === 200);
  return {
    url,
    urlFile,
    messages,
    accepted,
    behave: (next) => {
      mood = next;
    },
    until: async (part, timeout = 30_000) => {
      const matches = ({ text }: SlackMessage) =>
        typeof part === 'string' ? text.includes(part) : part.test(text);
      const what = () =>
        `a message with ${String(part)}; arrived: ${messages.map(({ text }) => text).join('\n')}`;
      await waitUntil(() => accepted().some(matches), { what, timeout, every: 20 });
      return accepted().find(matches) as SlackMessage;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function receive(request: IncomingMessage): Promise<string> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** Does what the mood says and tells the status. */
function answer(response: ServerResponse, mood: SlackMood): number {
  if (mood.kind === 'hang') return 0;
  if (mood.kind === 'accept') {
    response.end('ok');
    return 200;
  }
  if (mood.retryAfter !== undefined) response.setHeader('retry-after', String(mood.retryAfter));
  response.statusCode = mood.status;
  response.end('no');
  return mood.status;
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
