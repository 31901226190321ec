import type { JsonObject } from './json.ts';
import type { Resource } from './resource.ts';

export type Cause = {
  readonly field: string;
  readonly reason: string;
  readonly message: string;
};

/** An answer that is not a success: carries the `Status` body that clients parse. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  readonly code: number;
  readonly reason: string;
  readonly details: JsonObject | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: number,
    reason: string,
    message: string,
    more: { readonly details?: JsonObject; readonly retryAfterSeconds?: number } = {},
  ) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = more.details;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}

export const statusBody = (failure: ApiFailure): JsonObject => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: failure.message,
  reason: failure.reason,
  ...(failure.details === undefined ? {} : { details: failure.details }),
  code: failure.code,
});

/** `deployments.apps`, or `pods` in the core group. */
export const qualified = (resource: Resource): string =>
  resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;

const about = (resource: Resource, name: string): JsonObject => ({
  name,
  ...(resource.group === '' ? {} : { group: resource.group }),
  kind: resource.plural,
});

export const notFound = (resource: Resource, name: string) =>
  new ApiFailure(404, 'NotFound', `${qualified(resource)} "${name}" not found`, {
    details: about(resource, name),
  });

export const noSuchPath = () =>
  new ApiFailure(404, 'NotFound', 'the server could not find the requested resource', {
    details: {},
  });

export const alreadyExists = (resource: Resource, name: string) =>
  new ApiFailure(409, 'AlreadyExists', `${qualified(resource)} "${name}" already exists`, {
    details: about(resource, name),
  });

export const conflict = (
  resource: Resource,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version ' +
    'and try again',
) =>
  new ApiFailure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`,
    { details: about(resource, name) },
  );

/** 422 with every problem at once. */
export function invalid(resource: Resource, name: string, causes: readonly Cause[]): ApiFailure {
  const kind = resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`;
  const lines = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const text = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  return new ApiFailure(422, 'Invalid', `${kind} "${name}" is invalid: ${text}`, {
    details: {
      name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.kind,
      causes: causes.map(({ field, reason, message }) => ({ reason, message, field })),
    },
  });
}

export const invalidValue = (field: string, value: unknown, why: string): Cause => ({
  field,
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
});

export const requiredValue = (field: string, why = ''): Cause => ({
  field,
  reason: 'FieldValueRequired',
  message: `Required value${why === '' ? '' : `: ${why}`}`,
});

export const unsupportedValue = (
  field: string,
  value: unknown,
  known: readonly string[],
): Cause => ({
  field,
  reason: 'FieldValueNotSupported',
  message:
    `Unsupported value: ${JSON.stringify(value)}: supported values: ` +
    known.map((k) => `"${k}"`).join(', '),
});

export const badRequest = (message: string) => new ApiFailure(400, 'BadRequest', message);

export const expired = (message: string) => new ApiFailure(410, 'Expired', message);

export const methodNotAllowed = () =>
  new ApiFailure(
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {
      details: {},
    },
  );

export const unsupportedMediaType = (accepted: readonly string[]) =>
  new ApiFailure(
    415,
    'UnsupportedMediaType',
    'the body of the request was in an unknown format - accepted media types ' +
      `include: ${accepted.join(', ')}`,
  );
