import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as send } from 'undici';

/** Anything JSON can say, read without a schema: tests look at what is there. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
    readonly controller?: boolean;
  }[];
}

/** An object as the API server gives it. */
export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

/** An answer of the API server other than 2xx. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: Json;

  constructor(what: string, answer: Answer) {
    const body = answer.body;
    const said =
      typeof body === 'object' && body !== null && !Array.isArray(body) ? body['message'] : body;
    super(`${what}: ${answer.status} ${typeof said === 'string' ? said : JSON.stringify(said)}`);
    this.name = 'ApiError';
    this.status = answer.status;
    this.body = body;
  }
}

export type PatchKind = 'merge' | 'json' | 'strategic' | 'apply';

const patchTypes: Readonly<Record<PatchKind, string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/**
 * A plain JSON client of the API server: no cache, no retry, no types but those the caller names.
 */
export interface Api {
  /** Any request; an answer with any status is returned, never thrown. */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<Answer>;
  get<T = KubernetesObject>(path: string): Promise<T>;
  /** As get; undefined when there is no such object. */
  find<T = KubernetesObject>(path: string): Promise<T | undefined>;
  list<T = KubernetesObject>(path: string): Promise<readonly T[]>;
  create<T = KubernetesObject>(path: string, object: unknown): Promise<T>;
  /** `apply` is forced server-side apply by field manager `test`, unless the path names another. */
  patch<T = KubernetesObject>(path: string, kind: PatchKind, change: unknown): Promise<T>;
  /** Deletes; no error when it is gone already. */
  remove(path: string, options?: Readonly<Record<string, Json>>): Promise<void>;
  /**
   * Changes since the resourceVersion in `path`, or what is there and then its changes, until an
   * end or the signal.
   */
  watch<T = KubernetesObject>(path: string, signal?: AbortSignal): AsyncGenerator<WatchEvent<T>>;
  /** Polls until the condition holds (`undefined` = not there) and returns what was seen then. */
  until<T = KubernetesObject>(
    path: string,
    condition: (seen: T | undefined) => boolean,
    options?: UntilOptions,
  ): Promise<T | undefined>;
  close(): Promise<void>;
}

export interface UntilOptions {
  /** What is waited for, for the error. */
  readonly what?: string;
  /** Milliseconds; 30,000 unless told. */
  readonly timeout?: number;
  /** Milliseconds between looks; 100 unless told. */
  readonly every?: number;
}

interface KubeconfigFile {
  readonly clusters: readonly [
    { cluster: { server: string; 'certificate-authority-data': string } },
  ];
  readonly users: readonly [{ user: Readonly<Record<string, string>> }];
}

/** Opens a client with a kubeconfig this library wrote. */
export function openApi(kubeconfigFile: string): Api {
  const config = JSON.parse(readFileSync(kubeconfigFile, 'utf8')) as KubeconfigFile;
  const { server, 'certificate-authority-data': authority } = config.clusters[0].cluster;
  const user = config.users[0].user;
  const decode = (text: string) => Buffer.from(text, 'base64').toString();
  const { 'client-certificate-data': cert, 'client-key-data': key, token } = user;
  const agent = new Agent({
    connect: {
      ca: decode(authority),
      ...(cert === undefined ? {} : { cert: decode(cert) }),
      ...(key === undefined ? {} : { key: decode(key) }),
    },
    bodyTimeout: 0, // a watch may be silent for minutes
    keepAliveTimeout: 30_000,
  });
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  const call = (method: string, path: string, init: CallOptions) =>
    send(`${server}${path}`, {
      dispatcher: agent,
      method: method as 'GET',
      headers: { accept: 'application/json', ...authorization, ...init.headers },
      ...(init.body === undefined ? {} : { body: init.body }),
      ...(init.signal === undefined ? {} : { signal: init.signal }),
    });
  return apiOver(call, () => agent.destroy());
}

interface CallOptions {
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

type Call = (method: string, path: string, init: CallOptions) => ReturnType<typeof send>;

function apiOver(call: Call, close: () => Promise<void>): Api {
  const request: Api['request'] = async (method, path, body, contentType = 'application/json') => {
    const response = await call(
      method,
      path,
      body === undefined
        ? {}
        : { headers: { 'content-type': contentType }, body: encodeBody(body) },
    );
    return { status: response.statusCode, body: parseBody(await response.body.text()) };
  };
  const must = async <T>(...args: Parameters<Api['request']>): Promise<T> => {
    const answer = await request(...args);
    if (answer.status >= 300) throw new ApiError(`${args[0]} ${args[1]}`, answer);
    return answer.body as T;
  };
  const find = async <T>(path: string): Promise<T | undefined> => {
    const answer = await request('GET', path);
    if (answer.status === 404) return undefined;
    if (answer.status >= 300) throw new ApiError(`GET ${path}`, answer);
    return answer.body as T;
  };
  return {
    request,
    find,
    get: (path) => must('GET', path),
    list: async <T>(path: string) =>
      (await must<{ readonly items: readonly T[] }>('GET', path)).items,
    create: (path, object) => must('POST', path, object),
    patch: (path, kind, change) =>
      must('PATCH', kind === 'apply' ? applyPath(path) : path, change, patchTypes[kind]),
    remove: async (path, options) => {
      const answer = await request('DELETE', path, options);
      if (answer.status >= 300 && answer.status !== 404)
        throw new ApiError(`DELETE ${path}`, answer);
    },
    watch: (path, signal) => watchLines(call, path, signal),
    until: (path, condition, options) => pollUntil(() => find(path), path, condition, options),
    close,
  };
}

function encodeBody(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

function parseBody(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function applyPath(path: string): string {
  if (path.includes('fieldManager=')) return path;
  return `${path}${path.includes('?') ? '&' : '?'}fieldManager=test&force=true`;
}

const withQuery = (path: string, query: string): string =>
  `${path}${path.includes('?') ? '&' : '?'}${query}`;

interface Listed<T> {
  readonly items: readonly T[];
  readonly version: string;
}

async function listOf<T>(call: Call, path: string, signal?: AbortSignal): Promise<Listed<T>> {
  const response = await call('GET', path, signal === undefined ? {} : { signal });
  const body = parseBody(await response.body.text());
  if (response.statusCode !== 200) {
    throw new ApiError(`list ${path}`, { status: response.statusCode, body });
  }
  const { items, metadata } = body as unknown as {
    readonly items: readonly T[];
    readonly metadata: { readonly resourceVersion: string };
  };
  return { items, version: metadata.resourceVersion };
}

async function* watchLines<T>(
  call: Call,
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<WatchEvent<T>> {
  const from = new URLSearchParams(path.split('?')[1]).get('resourceVersion');
  if (from === null) {
    // What is there is listed: a watch that sends it needs a feature which Debian's etcd lacks.
    const list = await listOf<T>(call, path, signal);
    for (const object of list.items) yield { type: 'ADDED', object };
    yield* watchLines(call, withQuery(path, `resourceVersion=${list.version}`), signal);
    return;
  }
  const url = withQuery(path, 'watch=1&allowWatchBookmarks=true');
  const response = await call('GET', url, signal === undefined ? {} : { signal });
  if (response.statusCode !== 200) {
    const body = parseBody(await response.body.text());
    throw new ApiError(`watch ${path}`, { status: response.statusCode, body });
  }
  let rest = '';
  response.body.setEncoding('utf8');
  for await (const chunk of response.body) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield JSON.parse(line) as WatchEvent<T>;
  }
}

async function pollUntil<T>(
  look: () => Promise<T | undefined>,
  path: string,
  condition: (seen: T | undefined) => boolean,
  options: UntilOptions = {},
): Promise<T | undefined> {
  const { what = `the awaited state of ${path}`, timeout = 30_000, every = 100 } = options;
  let seen: T | undefined;
  await waitUntil(
    async () => {
      seen = await look();
      return condition(seen);
    },
    { what: () => `${what}; last seen: ${JSON.stringify(seen)?.slice(0, 3000)}`, timeout, every },
  );
  return seen;
}

/**
 * Polls until `check` is true; an exception of the check counts as false and is told at the end.
 */
export async function waitUntil(
  check: () => boolean | Promise<boolean>,
  options: {
    readonly what: string | (() => string);
    readonly timeout?: number;
    readonly every?: number;
  },
): Promise<void> {
  const { what, timeout = 30_000, every = 100 } = options;
  const deadline = performance.now() + timeout;
  for (;;) {
    let problem = '';
    try {
      if (await check()) return;
    } catch (cause) {
      problem = ` (${String(cause)})`;
    }
    if (performance.now() > deadline) {
      const told = typeof what === 'string' ? what : what();
      throw new Error(`waited ${timeout} ms for ${told}${problem}`);
    }
    await sleep(every);
  }
}
