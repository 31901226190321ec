import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { script, shell, type View, viewHtml } from './page.ts';

/** A Slack channel of our own: takes what the controller posts, and shows it as a page. */
export interface Inbox {
  readonly webhookUrl: string;
  readonly pageUrl: string;
  close(): void;
}

const longestBody = 65_536;

/** @param state all that the page shows but the messages */
export async function openInbox(
  state: () => Omit<View, 'messages'>,
  onMessage: (text: string) => void,
): Promise<Inbox> {
  const messages: string[] = [];
  const pages: Readonly<Record<string, () => readonly [type: string, body: string]>> = {
    '/': () => ['text/html', shell],
    '/live.js': () => ['text/javascript', script],
    '/view': () => ['text/html', viewHtml({ ...state(), messages })],
  };
  const server: Server = createServer((request, response) => {
    if (request.method !== 'POST') {
      const page = pages[request.url ?? ''];
      const [type, body] = page?.() ?? ['text/plain', 'not found'];
      response.writeHead(page === undefined ? 404 : 200, {
        'content-type': `${type}; charset=utf-8`,
        'content-security-policy':
          "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'",
      });
      response.end(body);
      return;
    }
    let body = '';
    request.setEncoding('utf8').on('data', (piece: string) => {
      body = (body + piece).slice(0, longestBody);
    });
    request.on('end', () => {
      response.end('ok');
      const text = textOf(body);
      messages.unshift(text);
      onMessage(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    webhookUrl: `${url}/slack`,
    pageUrl: `${url}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function textOf(body: string): string {
  try {
    const { text } = JSON.parse(body) as { readonly text?: unknown };
    return typeof text === 'string' ? text : body;
  } catch {
    return body;
  }
}
