import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A Slack channel of our own: takes what the controller posts, and shows it as a page. */
export interface Inbox {
  readonly webhookUrl: string;
  readonly pageUrl: string;
  close(): void;
}

const longestBody = 65_536;

/** @param state what the page shows beside the messages, as lines */
export async function openInbox(
  state: () => readonly string[],
  onMessage: (text: string) => void,
): Promise<Inbox> {
  const messages: string[] = [];
  const server: Server = createServer((request, response) => {
    if (request.method !== 'POST') {
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      });
      response.end(page(state(), messages));
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

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function page(state: readonly string[], messages: readonly string[]): string {
  const style =
    'body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}' +
    'pre{background:#0d1117;color:#e6edf3;padding:1rem;border-radius:8px;overflow:auto}' +
    'li{border-left:4px solid #888;margin:.6rem 0;padding:.2rem .8rem;list-style:none}';
  const items = messages.map((text) => `<li>${escaped(text)}</li>`).join('');
  const none = '<li>Nothing yet.</li>';
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    '<meta http-equiv="refresh" content="2"><title>Haldane demo</title>' +
    `<style>${style}</style></head><body><h1>Haldane demo</h1>` +
    `<pre>${escaped(state.length === 0 ? 'starting' : state.join('\n'))}</pre>` +
    `<h2>#releases</h2><ul>${items === '' ? none : items}</ul></body></html>`
  );
}
