import { type BackoffPolicy, backoff } from '../lib/backoff.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { describeError, type ErrorCode, isOperatingError, OperatingError } from '../lib/errors.ts';
import { linked } from '../lib/linked.ts';
import type { Random } from '../lib/random.ts';
import { type Millis, millis, minutes, seconds } from '../lib/units.ts';
import { collectionPath } from './api-path.ts';
import type { KubernetesClient } from './client.ts';
import { compareResourceVersions } from './resource-version.ts';
import type { Resource } from './resources.ts';
import { statusError } from './status-error.ts';
import type { WritableStore } from './store.ts';
import {
  isParsedLine,
  type KubernetesStream,
  type KubernetesTransport,
  type StreamPiece,
} from './transport.ts';
import { MalformedWatch, versionOf, watchEvents } from './watch-stream.ts';

export interface ReflectorOptions<T, I extends string> {
  readonly resource: Resource;
  /** Several reflectors of different namespaces may fill one store. */
  readonly store: WritableStore<T, I>;
  readonly client: KubernetesClient;
  readonly transport: KubernetesTransport;
  readonly clock: Clock;
  readonly random: Random;
  /** All namespaces when absent. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /**
   * The server is asked to end each watch within this span; one that has not ended by then is dead,
   * and is opened again from the last version. A quiet resource gets no bookmarks (Kubernetes
   * 1.36.3, seen), so that silence means nothing, and a connection that died without a sign would
   * otherwise be believed for ever.
   */
  readonly watchSpan?: Millis;
  /** A full list at least this often, in case events were lost without a sign. */
  readonly relistEvery?: Millis;
  readonly backoff?: BackoffPolicy;
  /**
   * The cluster may not know this resource: it then counts as synced, without objects, and is asked
   * for now and then.
   */
  readonly optional?: boolean;
  /** For logs and metrics; must not throw. */
  readonly onNotice?: (notice: ReflectorNotice) => void;
}

export type ReflectorNotice =
  | { readonly kind: 'listed'; readonly resource: string; readonly objects: number }
  | { readonly kind: 'watch-ended'; readonly resource: string }
  | {
      readonly kind: 'failed';
      readonly resource: string;
      readonly code: ErrorCode | 'BUG';
      readonly message: string;
      readonly pause: Millis;
    };

export interface Reflector {
  /** Resolves after the first complete list; never rejects. */
  readonly synced: Promise<void>;
  readonly isSynced: boolean;
  /** Time since the server was last heard; infinite before. */
  staleness(): Millis;
  /** Lists and watches until aborted; resolves then. Survives everything else. */
  run(signal: AbortSignal): Promise<void>;
}

/** Heals within five seconds after an outage, and is no load during it. */
const defaultBackoff: BackoffPolicy = { first: millis(100), longest: seconds(4), factor: 2 };
/**
 * With the grace, less than a minute: no change stays unseen for longer, whatever the network does.
 */
const defaultWatchSpan: Millis = seconds(50);
/** A rollout that waits for an event that was lost goes on after so long. */
const defaultRelistEvery: Millis = minutes(10);
/** How much later than asked the server may end a watch. */
const grace: Millis = seconds(5);
/** A watch that lives this long was worth it: the next failure starts with a short pause again. */
const soundWatch: Millis = seconds(10);
/**
 * After so many watches in a row that the server answered and that gave no event, the version we
 * ask for is the suspect. Refused connections do not count: when an API server comes back,
 * everybody resumes and nobody lists.
 */
const patience = 4;

/** Mirrors one resource into a store: a paged list, then a watch from there, for ever. */
export const createReflector = <T, I extends string = never>(
  options: ReflectorOptions<T, I>,
): Reflector => new ListWatch(options);

class ListWatch<T, I extends string> implements Reflector {
  readonly #options: ReflectorOptions<T, I>;
  readonly #synced = Promise.withResolvers<void>();
  isSynced = false;
  #heardAt: Millis | undefined;
  #resourceVersion: string | undefined;
  #mustList = true;
  #relistAt = 0;
  /** Failures since something good happened: the pause grows with them. */
  #failures = 0;
  /** Answered watches since the last event. */
  #fruitless = 0;
  /** The last list was older than what we saw, and not believed. */
  #wentBack = false;

  constructor(options: ReflectorOptions<T, I>) {
    this.#options = options;
  }

  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  staleness(): Millis {
    if (this.#heardAt === undefined) return millis(Number.POSITIVE_INFINITY);
    return millis(this.#options.clock.monotonic() - this.#heardAt);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    while (!signal.aborted) {
      const start = clock.monotonic();
      try {
        if (this.#mustList || this.#resourceVersion === undefined) await this.#list(signal);
        else await this.#watch(this.#resourceVersion, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (clock.monotonic() - start >= soundWatch) this.#progress();
        if (needsList(error) || this.#fruitless >= patience) this.#mustList = true;
        const own = backoff(this.#options.backoff ?? defaultBackoff, this.#failures, random);
        this.#failures += 1;
        if (this.#isAbsent(error)) this.#announceSynced();
        const pause = pauseAfter(error, own);
        this.#report(error, pause);
        await sleep(clock, pause, signal).catch(() => {});
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { clock, random, resource, store } = this.#options;
    this.#resourceVersion = await listInto(this.#options, signal, {
      onPage: () => this.#heard(),
      isRestored: (version) => this.#isRestored(version),
    });
    this.#mustList = false;
    this.#fruitless = 0;
    const relistEvery = this.#options.relistEvery ?? defaultRelistEvery;
    this.#relistAt = clock.monotonic() + relistEvery * (0.9 + random() * 0.2);
    this.#announceSynced();
    this.#notice({ kind: 'listed', resource: resource.plural, objects: store.size });
  }

  /**
   * Whether a list is older than what we saw because the storage was restored or replaced. One
   * alone may come from a cache that is far behind: of two in a row the second is believed.
   * @throws KUBERNETES_GONE for the first
   */
  #isRestored(version: string): boolean {
    const seen = this.#resourceVersion;
    const order = seen === undefined ? undefined : compareResourceVersions(version, seen);
    const goesBack = order !== undefined && order < 0;
    const isFirst = goesBack && !this.#wentBack;
    this.#wentBack = isFirst;
    if (isFirst) {
      throw new OperatingError(
        'KUBERNETES_GONE',
        `the list went back from version ${seen} to ${version}`,
      );
    }
    return goesBack;
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { clock, resource, watchSpan = defaultWatchSpan } = this.#options;
    const start = clock.monotonic();
    await watchInto(this.#options, from, signal, {
      onBytes: () => this.#heard(),
      onAnswered: () => {
        this.#fruitless += 1;
      },
      onEvent: (version) => {
        this.#resourceVersion = version;
        this.#progress();
      },
    });
    this.#notice({ kind: 'watch-ended', resource: resource.plural });
    this.#mustList = clock.monotonic() >= this.#relistAt;
    if (clock.monotonic() - start >= Math.min(soundWatch, watchSpan / 2)) return;
    // A server or proxy that ends every watch at once must not make us spin.
    throw new OperatingError('KUBERNETES_UNAVAILABLE', 'the watch ended early');
  }

  /**
   * An API server that is starting may also answer 404; what was known already is therefore kept.
   */
  #isAbsent(error: unknown): boolean {
    return this.#options.optional === true && isOperatingError(error, 'KUBERNETES_NOT_FOUND');
  }

  #announceSynced(): void {
    this.isSynced = true;
    this.#synced.resolve();
  }

  #heard(): void {
    this.#heardAt = this.#options.clock.monotonic();
  }

  #progress(): void {
    this.#failures = 0;
    this.#fruitless = 0;
  }

  #report(error: unknown, pause: Millis): void {
    const resource = this.#options.resource.plural;
    const code = isOperatingError(error) ? error.code : 'BUG';
    this.#notice({ kind: 'failed', resource, code, message: describeError(error), pause });
  }

  #notice(notice: ReflectorNotice): void {
    this.#options.onNotice?.(notice);
  }
}

/** One complete list. Tells its version. */
async function listInto<T, I extends string>(
  options: ReflectorOptions<T, I>,
  signal: AbortSignal,
  on: { readonly onPage: () => void; readonly isRestored: (version: string) => boolean },
): Promise<string> {
  const { client, resource, store, namespace, labelSelector, fieldSelector } = options;
  const selection = { namespace, labelSelector, fieldSelector };
  let listing: ReturnType<typeof store.beginListing> | undefined;
  let resourceVersion = '';
  for await (const page of client.list(resource, selection, signal)) {
    on.onPage();
    resourceVersion = page.resourceVersion;
    listing ??= store.beginListing({
      historyRestarted: on.isRestored(resourceVersion),
      namespace,
    });
    for (const item of page.items) listing.add(item);
  }
  listing?.finish(resourceVersion);
  return resourceVersion;
}

/** One watch until the server ends it. Throws for every other end. */
async function watchInto<T, I extends string>(
  options: ReflectorOptions<T, I>,
  from: string,
  signal: AbortSignal,
  on: {
    readonly onBytes: () => void;
    readonly onAnswered: () => void;
    readonly onEvent: (resourceVersion: string) => void;
  },
): Promise<void> {
  const { store, clock, namespace } = options;
  const span = options.watchSpan ?? defaultWatchSpan;
  // Spread, so that the watches of many resources and replicas do not end together.
  const timeoutSeconds = Math.max(1, Math.floor((span * (0.8 + options.random() * 0.2)) / 1000));
  const limit = millis(timeoutSeconds * 1000 + grace);
  const overdue = () =>
    new OperatingError('KUBERNETES_UNAVAILABLE', 'the watch did not end as asked');
  const life = linked(signal);
  const cancel = clock.after(limit, () => life.abort(overdue()));
  try {
    const stream = await openWatch(options, { from, timeoutSeconds }, on.onAnswered, life.signal);
    on.onBytes();
    let last = from;
    for await (const event of watchEvents(stream.chunks, on.onBytes)) {
      const version = versionOf(event);
      if ((compareResourceVersions(version, last) ?? 0) < 0) {
        throw new MalformedWatch(`the watch went back from version ${last} to ${version}`);
      }
      last = version;
      store.observe(event, namespace);
      on.onEvent(last);
    }
    // A clean end is a sign of life too.
    on.onBytes();
  } finally {
    cancel();
    life.unlink();
  }
}

async function openWatch<T, I extends string>(
  options: ReflectorOptions<T, I>,
  asked: { readonly from: string; readonly timeoutSeconds: number },
  onAnswered: () => void,
  signal: AbortSignal,
): Promise<KubernetesStream> {
  const { transport, resource, namespace, labelSelector, fieldSelector } = options;
  const query = {
    watch: true,
    resourceVersion: asked.from,
    allowWatchBookmarks: true,
    timeoutSeconds: asked.timeoutSeconds,
    labelSelector,
    fieldSelector,
  };
  const stream = await transport.stream(collectionPath(resource, namespace), query, signal);
  onAnswered();
  if (stream.status === 200) return stream;
  throw statusError(
    { status: stream.status, headers: stream.headers, json: await smallJson(stream.chunks) },
    `watch ${resource.plural}`,
  );
}

/** The Status of a refused watch. */
async function smallJson(chunks: AsyncIterable<StreamPiece>): Promise<unknown> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks) {
    if (isParsedLine(chunk)) return chunk.parsed;
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    if (text.length > 65_536) return undefined;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const needsList = (error: unknown): boolean =>
  error instanceof MalformedWatch ||
  !isOperatingError(error) ||
  error.code === 'KUBERNETES_GONE' ||
  error.code === 'KUBERNETES_INVALID';

/** Permissions and installed resources change by hand: no need to ask every few seconds. */
const longPause: Millis = seconds(15);

function pauseAfter(error: unknown, pause: Millis): Millis {
  if (!isOperatingError(error)) return pause;
  // Everybody was told the same time: come back a little apart.
  if (error.retryAfterMillis !== undefined) return millis(error.retryAfterMillis + pause);
  const standing = error.code === 'KUBERNETES_FORBIDDEN' || error.code === 'KUBERNETES_NOT_FOUND';
  return standing && pause >= seconds(1) ? longPause : pause;
}
