import type { Readable } from 'node:stream';
import axios, { type AxiosResponse } from 'axios';
import type { Clock } from '../lib/clock.ts';
import { OperatingError, type OperatingErrorOptions } from '../lib/errors.ts';
import type { Secret } from './secret.ts';

export interface Post {
  readonly url: Secret;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Of a refusal's body no more than this is looked at, for a single word such as
 * `channel_is_archived`.
 */
const reasonLimit = 64;

/**
 * One POST. Resolves on 2xx as soon as the head of the answer is here; its body is never waited
 * for. Redirects, proxies and decompression are off. There is no `maxContentLength`: with it axios
 * wraps the body in a stream whose end leaves the socket open, and of the body we take
 * `reasonLimit` bytes at most. Errors are built afresh, without a cause: what axios throws carries
 * the URL and the headers.
 */
export async function post(request: Post, clock: Clock, signal: AbortSignal): Promise<void> {
  let response: AxiosResponse<Readable>;
  try {
    response = await axios.post<Readable>(request.url.reveal(), request.body, {
      headers: { 'user-agent': 'haldane', ...request.headers },
      responseType: 'stream',
      signal,
      maxRedirects: 0,
      proxy: false,
      decompress: false,
      validateStatus: () => true,
      maxBodyLength: 262_144,
    });
  } catch (error) {
    throw new OperatingError('NOTIFY_FAILED', `no answer: ${failureWord(error, signal)}`);
  }
  const { status } = response;
  if (status >= 200 && status < 300) {
    response.data.destroy();
    return;
  }
  const reason = await reasonWord(response.data, signal);
  throw refusal(status, reason, pauseAskedFor(response.headers['retry-after'], clock));
}

function failureWord(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'timed out';
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'connection failed';
}

/**
 * 408, 425, 429 and 5xx pass; any other refusal would be the same next time, and so would a
 * redirect.
 */
function refusal(status: number, reason: string, pause: number | undefined): OperatingError {
  const passing = status >= 500 || [408, 425, 429].includes(status);
  const options: OperatingErrorOptions = {
    retry: passing ? 'backoff' : 'never',
    ...(pause === undefined ? {} : { retryAfterMillis: pause }),
  };
  const code = status === 429 ? 'NOTIFY_THROTTLED' : 'NOTIFY_FAILED';
  return new OperatingError(code, `refused with HTTP ${status}${reason}`, options);
}

/**
 * Slack and its likes answer one word of lower case and underscores; anything else is not
 * repeated.
 */
async function reasonWord(body: Readable, signal: AbortSignal): Promise<string> {
  const stop = () => body.destroy();
  signal.addEventListener('abort', stop, { once: true });
  let text = '';
  try {
    for await (const chunk of body) {
      text += (chunk as Buffer).toString('latin1');
      if (text.length > reasonLimit) return '';
    }
  } catch {
    return '';
  } finally {
    signal.removeEventListener('abort', stop);
    body.destroy();
  }
  return /^[a-z]+(?:_[a-z]+)*$/.test(text.trim()) ? ` ${text.trim()}` : '';
}

/**
 * `Retry-After` in seconds or as an HTTP date, in milliseconds from now; `undefined` when absent
 * or odd.
 */
export function pauseAskedFor(header: unknown, clock: Clock): number | undefined {
  if (typeof header !== 'string') return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.now());
}
