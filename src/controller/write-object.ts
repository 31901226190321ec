import type { ObjectRef } from '../kubernetes/api-path.ts';
import type { RawObject } from '../kubernetes/raw-object.ts';
import { isOperatingError } from '../lib/errors.ts';
import type { Effects } from './effects.ts';

/** Ends a write of the object that `ref` names: the cache learns of what it has become. */
export async function written(
  ref: ObjectRef,
  request: Promise<RawObject>,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  await unlessOutdated(ref, request.then(effects.accept), effects, signal);
}

/**
 * A write that is refused because its object has changed has the object read again: the watch may
 * have lost what tells of the change, and the next pass would ask for the same in vain.
 */
export async function unlessOutdated(
  ref: ObjectRef,
  request: Promise<void>,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (isOperatingError(error, 'KUBERNETES_CONFLICT')) await readAgain(ref, effects, signal);
    throw error;
  }
}

/** Of an object that is there: the cache learns of it, also of one whose event was lost. */
export async function readAgain(
  ref: ObjectRef,
  effects: Effects,
  signal: AbortSignal,
): Promise<RawObject> {
  const accept = effects.beginRead(ref.resource.kind);
  const raw = await effects.client.get(ref, signal);
  accept(raw);
  return raw;
}
