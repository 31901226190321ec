import { OperatingError } from '../lib/errors.ts';
import { isRecord, isStoredObject, type RawObject } from './raw-object.ts';
import { statusError } from './status-error.ts';
import { isParsedLine, type StreamPiece } from './transport.ts';

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: RawObject }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export const versionOf = (event: WatchEvent): string =>
  event.type === 'BOOKMARK' ? event.resourceVersion : (event.object.metadata.resourceVersion ?? '');

/** The stream holds something that is no watch event: what was missed is unknown, so list again. */
export class MalformedWatch extends OperatingError {
  constructor(message: string) {
    super('KUBERNETES_UNAVAILABLE', message);
  }
}

/** etcd takes objects of 1.5 MiB; as JSON with managedFields they may be some times that. */
const maxLineBytes = 8 * 1024 * 1024;

/**
 * The events of a watch. Throws {@link MalformedWatch} for a line that is no event, and the
 * `OperatingError` of an in-stream ERROR, e.g. KUBERNETES_GONE. A line cut off by the end of the
 * stream is not an event and is dropped.
 */
export async function* watchEvents(
  chunks: AsyncIterable<StreamPiece>,
  onBytes: () => void,
): AsyncGenerator<WatchEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    onBytes();
    if (isParsedLine(chunk)) {
      yield eventOf(chunk.parsed);
      continue;
    }
    const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    if (!text.includes('\n')) {
      rest += text;
      if (rest.length > maxLineBytes) throw new MalformedWatch('a watch event is too long');
      continue;
    }
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() !== '') yield eventOf(parse(line));
    }
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new MalformedWatch('a watch event is not JSON');
  }
}

function eventOf(parsed: unknown): WatchEvent {
  if (!isRecord(parsed)) throw new MalformedWatch('a watch event is not an object');
  const { type, object } = parsed;
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      if (isStoredObject(object)) return { type, object };
      break;
    case 'BOOKMARK': {
      const metadata = isRecord(object) && isRecord(object['metadata']) ? object['metadata'] : {};
      const { resourceVersion } = metadata;
      if (typeof resourceVersion === 'string' && resourceVersion !== '') {
        return { type, resourceVersion };
      }
      break;
    }
    case 'ERROR':
      throw inStreamError(object);
    default:
  }
  throw new MalformedWatch(
    `a watch event of type ${JSON.stringify(type)?.slice(0, 40)} is unusable`,
  );
}

function inStreamError(object: unknown): OperatingError {
  const code = isRecord(object) ? object['code'] : undefined;
  const status = typeof code === 'number' ? code : 500;
  return statusError({ status, headers: {}, json: object }, 'watch');
}
