import { isOperatingError, OperatingError } from '../lib/errors.ts';

/** What the snapshot was made from has moved on: the next pass sees why. */
export const outdated = (what: string): OperatingError =>
  new OperatingError('KUBERNETES_CONFLICT', `${what} has changed since it was read`);

/** For a deletion or a look: what is gone already is no failure. */
export async function unlessGone(request: Promise<void>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!isOperatingError(error, 'KUBERNETES_NOT_FOUND')) throw error;
  }
}
