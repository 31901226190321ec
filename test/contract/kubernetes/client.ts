import { Agent, request } from 'undici';
import {
  asArray,
  asObject,
  asString,
  type Json,
  type JsonObject,
  valueAt,
} from '../../../src/embedded/json.ts';

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonObject;
};

export type Query = Readonly<Record<string, string>>;
export type WatchEvent = { readonly type: string; readonly object: JsonObject };
export type Access = {
  readonly server: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
};

const patchTypes = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
export type PatchKind = keyof typeof patchTypes;

/** Value at a dotted path; numbers index lists: `spec.rules.0.backendRefs.0.weight`. */
export function at(from: Answer | JsonObject, path: string): Json | undefined {
  const root: Json = 'headers' in from && 'body' in from ? (from as Answer).body : from;
  return path
    .split('.')
    .reduce<Json | undefined>(
      (value, key) => (/^\d+$/.test(key) ? asArray(value)[Number(key)] : valueAt(value, [key])),
      root,
    );
}

/** Raw HTTP to an API server: what is sent and what comes back, nothing in between. */
export class ContractClient {
  readonly #access: Access;
  readonly #agent: Agent;

  constructor(access: Access) {
    this.#access = access;
    const { ca, cert, key } = access;
    this.#agent = new Agent({
      connect: {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      },
    });
  }

  /** The same server for somebody else. */
  as(token: string): ContractClient {
    const { server, ca } = this.#access;
    return new ContractClient({ server, token, ...(ca === undefined ? {} : { ca }) });
  }

  get = (path: string, query: Query = {}, accept?: string) =>
    this.#send('GET', path, { query, ...(accept === undefined ? {} : { accept }) });
  post = (path: string, body: JsonObject, query: Query = {}) =>
    this.#send('POST', path, { query, body });
  put = (path: string, body: JsonObject, query: Query = {}) =>
    this.#send('PUT', path, { query, body });
  delete = (path: string, body?: JsonObject, query: Query = {}) =>
    this.#send('DELETE', path, { query, ...(body === undefined ? {} : { body }) });
  patch = (path: string, kind: PatchKind, body: Json, query: Query = {}) =>
    this.#send('PATCH', path, { query, body, contentType: patchTypes[kind] });
  apply = (path: string, body: JsonObject, fieldManager: string, query: Query = {}) =>
    this.patch(path, 'apply', body, { fieldManager, ...query });

  async #send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    more: { query: Query; body?: Json; contentType?: string; accept?: string },
  ): Promise<Answer> {
    const answer = await request(this.#url(path, more.query), {
      method,
      dispatcher: this.#agent,
      headers: this.#headers(
        more.accept,
        more.body === undefined ? undefined : (more.contentType ?? 'application/json'),
      ),
      ...(more.body === undefined ? {} : { body: JSON.stringify(more.body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await answer.body.text();
    const headers = Object.fromEntries(
      Object.entries(answer.headers).map(([name, value]) => [name, String(value)]),
    );
    return { status: answer.statusCode, headers, body: parse(text) };
  }

  #url = (path: string, query: Query) => {
    const search = new URLSearchParams(query).toString();
    return `${this.#access.server}${path}${search === '' ? '' : `?${search}`}`;
  };

  #headers(accept = 'application/json', contentType?: string): Record<string, string> {
    const { token } = this.#access;
    return {
      accept,
      'user-agent': 'contract/1',
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
  }

  /**
   * Opens a watch; resolves when the server has begun to answer. From what the server has at
   * hand unless a
   * resourceVersion is given: asking for the newest state can fail in the stream while its cache
   * catches up.
   */
  async watch(path: string, query: Query = {}, accept?: string): Promise<Watch> {
    const stop = new AbortController();
    const answer = await request(
      this.#url(path, { watch: 'true', resourceVersion: '0', ...query }),
      {
        dispatcher: this.#agent,
        headers: this.#headers(accept),
        signal: stop.signal,
        bodyTimeout: 0,
      },
    );
    const watch = new Watch(answer.statusCode, () => stop.abort());
    void watch.consume(answer.body);
    return watch;
  }

  close = () => this.#agent.close();
}

function parse(text: string): JsonObject {
  try {
    return asObject(JSON.parse(text) as Json);
  } catch {
    return { text };
  }
}

/** A stream of watch events, kept in order. */
export class Watch {
  readonly status: number;
  readonly events: WatchEvent[] = [];
  ended = false;
  readonly #stop: () => void;

  constructor(status: number, stop: () => void) {
    this.status = status;
    this.#stop = stop;
  }

  async consume(body: AsyncIterable<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of body) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') this.events.push(JSON.parse(line) as WatchEvent);
      }
    } catch {
      // Closed by the test.
    }
    this.ended = true;
  }

  /** The first event that fits, among those that came and those to come. */
  until = (fits: (event: WatchEvent) => boolean): Promise<WatchEvent> =>
    eventually(
      () => this.events.find(fits),
      (found) => found !== undefined,
    ) as Promise<WatchEvent>;

  close(): void {
    this.#stop();
  }
}

const patienceMillis = 15_000;

/** Reads again and again until the value fits; the last value is in the error. */
export async function eventually<T>(
  read: () => Promise<T> | T,
  fits: (value: T) => boolean,
  patience = patienceMillis,
): Promise<T> {
  const end = performance.now() + patience;
  for (;;) {
    const value = await read();
    if (fits(value)) return value;
    if (performance.now() > end)
      throw new Error(`not within ${patience} ms; last: ${JSON.stringify(value)?.slice(0, 2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const nameOf = (object: JsonObject): string => asString(at(object, 'metadata.name'));
