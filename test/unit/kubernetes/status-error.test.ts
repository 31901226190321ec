import { expect, test } from 'vitest';
import { statusError } from '../../../src/kubernetes/status-error.ts';
import { statusBody } from './stub-api-server.ts';

const unapplied = 'the server rejected our request due to an error in our request';
const cause = (field: string) => ({
  causes: [{ reason: 'FieldValueInvalid', field, message: 'no' }],
});

test.each<[status: number, body: unknown, headers: Record<string, string>, code: string]>([
  [400, statusBody(400, 'BadRequest', 'bad'), {}, 'INVALID'],
  [401, statusBody(401, 'Unauthorized', 'who'), {}, 'FORBIDDEN'],
  [403, statusBody(403, 'Forbidden', 'no'), {}, 'FORBIDDEN'],
  [404, statusBody(404, 'NotFound', 'none'), {}, 'NOT_FOUND'],
  [405, statusBody(405, 'MethodNotAllowed', 'no'), {}, 'INVALID'],
  [409, statusBody(409, 'Conflict', 'changed'), {}, 'CONFLICT'],
  [409, statusBody(409, 'AlreadyExists', 'exists'), {}, 'ALREADY_EXISTS'],
  [410, statusBody(410, 'Expired', 'too old'), {}, 'GONE'],
  [422, statusBody(422, 'Invalid', 'bad port', cause('spec.ports[0].port')), {}, 'INVALID'],
  [422, statusBody(422, 'Invalid', 'immutable', cause('metadata.uid')), {}, 'CONFLICT'],
  [422, statusBody(422, 'Invalid', unapplied, {}), {}, 'CONFLICT'],
  [422, statusBody(422, 'Invalid', 'a webhook said no'), {}, 'INVALID'],
  [429, statusBody(429, 'TooManyRequests', 'slow'), {}, 'THROTTLED'],
  [500, statusBody(500, 'InternalError', 'etcd'), {}, 'UNAVAILABLE'],
  [503, statusBody(503, 'ServiceUnavailable', 'starting'), {}, 'UNAVAILABLE'],
  [503, statusBody(503, 'ServiceUnavailable', 'starting'), { 'retry-after': '2' }, 'THROTTLED'],
  [504, statusBody(504, 'Timeout', 'slow'), {}, 'UNAVAILABLE'],
  [502, '<html>secret</html>', {}, 'UNAVAILABLE'],
  [302, undefined, {}, 'INVALID'],
])('%i %j', (status, json, headers, code) => {
  expect(statusError({ status, json, headers }, 'get x').code).toBe(`KUBERNETES_${code}`);
});

test.each<[header: string | undefined, inBody: unknown, millis: number | undefined]>([
  ['3', undefined, 3000],
  [undefined, 7, 7000],
  ['3', 7, 3000],
  ['100000', undefined, 60_000],
  ['0', undefined, undefined],
  ['-5', undefined, undefined],
  ['Wed, 21 Oct 2026 07:28:00 GMT', undefined, undefined],
  [undefined, 'soon', undefined],
])('Retry-After %s, in the body %s', (header, inBody, millis) => {
  const headers: Record<string, string> = header === undefined ? {} : { 'retry-after': header };
  const json = statusBody(429, 'TooManyRequests', 'slow', { retryAfterSeconds: inBody });
  expect(statusError({ status: 429, json, headers }, 'x').retryAfterMillis).toBe(millis);
});

test.each<[what: string, json: unknown, message: string]>([
  [
    'names the request and what the server said',
    statusBody(404, 'NotFound', 'gone'),
    'get x: gone',
  ],
  ['never repeats a body that is no Status', '<b>token=1</b>', 'get x: HTTP 404'],
  [
    'takes control characters out',
    statusBody(404, 'NotFound', 'a\n\u001b[31mb\u2028c'),
    'get x: a [31mb c',
  ],
])('the message %s', (_what, json, message) => {
  expect(statusError({ status: 404, json, headers: {} }, 'get x').message).toBe(message);
});

test('a message has at most 300 characters', () => {
  const json = statusBody(404, 'NotFound', 'x'.repeat(5000));
  expect(statusError({ status: 404, json, headers: {} }, 'get x').message).toHaveLength(300);
});
