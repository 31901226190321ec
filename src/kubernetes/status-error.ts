import { type ErrorCode, OperatingError } from '../lib/errors.ts';
import { isRecord, type JsonRecord } from './raw-object.ts';

const messageLimit = 300;
/** A server that asks for hours would park a rollback; it is asked again sooner. */
const longestRetryAfterSeconds = 60;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: unknown;
}

/**
 * The error for an answer outside 2xx: code by status and `Status.reason`, message from
 * `Status.message` alone.
 */
export function statusError(answer: Answer, what: string): OperatingError {
  const status = isRecord(answer.json) ? answer.json : {};
  const reason = typeof status['reason'] === 'string' ? status['reason'] : '';
  let said = typeof status['message'] === 'string' ? status['message'] : '';
  if (said.startsWith(unappliedPatch)) said = 'the object is not as the patch expects it';
  const text = printable(said === '' ? `HTTP ${answer.status} ${reason}`.trimEnd() : said);
  const retryAfterMillis = retryAfterOf(answer, status);
  const code = codeOf(answer.status, reason, status);
  const throttled = answer.status === 503 && retryAfterMillis !== undefined;
  return new OperatingError(
    throttled ? 'KUBERNETES_THROTTLED' : code,
    clip(`${what}: ${text}`),
    retryAfterMillis === undefined ? {} : { retryAfterMillis },
  );
}

function codeOf(status: number, reason: string, body: JsonRecord): ErrorCode {
  switch (status) {
    case 400:
      return 'KUBERNETES_INVALID';
    case 401:
    case 403:
      return 'KUBERNETES_FORBIDDEN';
    case 404:
      return 'KUBERNETES_NOT_FOUND';
    case 409:
      return reason === 'AlreadyExists' ? 'KUBERNETES_ALREADY_EXISTS' : 'KUBERNETES_CONFLICT';
    case 410:
      return 'KUBERNETES_GONE';
    case 422:
      return isOtherThanExpected(body) ? 'KUBERNETES_CONFLICT' : 'KUBERNETES_INVALID';
    case 429:
      return 'KUBERNETES_THROTTLED';
    default:
      return status >= 500 ? 'KUBERNETES_UNAVAILABLE' : 'KUBERNETES_INVALID';
  }
}

/** What the API server says, and all it says, when a JSON patch cannot be applied. */
const unappliedPatch = 'the server rejected our request due to an error in our request';

/**
 * Two refusals are answered with 422 although they mean "this is not the object you read", as a 409
 * does: a JSON patch whose `test` or path does not fit, and a merge patch that names another uid.
 * (Kubernetes 1.36.3, seen.)
 */
function isOtherThanExpected(body: JsonRecord): boolean {
  const causes = causesOf(body);
  if (causes.length === 0) return String(body['message']).startsWith(unappliedPatch);
  return causes.every((cause) => isRecord(cause) && cause['field'] === 'metadata.uid');
}

function causesOf(body: JsonRecord): readonly unknown[] {
  const causes = isRecord(body['details']) ? body['details']['causes'] : undefined;
  return Array.isArray(causes) ? causes : [];
}

function retryAfterOf(answer: Answer, body: JsonRecord): number | undefined {
  const details = isRecord(body['details']) ? body['details'] : {};
  const header = answer.headers['retry-after'];
  const asked = header === undefined ? details['retryAfterSeconds'] : Number(header);
  if (typeof asked !== 'number' || !Number.isFinite(asked) || asked <= 0) return undefined;
  return Math.min(asked, longestRetryAfterSeconds) * 1000;
}

const clip = (text: string) =>
  text.length <= messageLimit ? text : `${text.slice(0, messageLimit - 1)}…`;

/** Messages end in logs and Events: no line breaks, no control characters. */
const printable = (text: string) => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
