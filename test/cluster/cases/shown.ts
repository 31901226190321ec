// What the controller's own metrics show of a check while it is made.
import { request } from 'undici';
import { waitUntil } from '../api.ts';

/** Series of the controller at the default metrics port. */
export interface ShownCheck {
  readonly metric: 'haldane_check_evidence' | 'haldane_check_promotion_evidence';
  readonly namespace: string;
  readonly check: string;
}

/** Waits until so much evidence of a check is shown, or more. */
export function untilShown(shown: ShownCheck, least: number): Promise<void> {
  const { metric, namespace, check } = shown;
  const parts = [`${metric}{`, `namespace="${namespace}"`, `check="${check}"`];
  let seen = Number.NaN;
  return waitUntil(
    async () => {
      const { body } = await request('http://127.0.0.1:8081/metrics');
      const lines = (await body.text()).split('\n');
      const line = lines.find((one) => parts.every((part) => one.includes(part)));
      seen = Number(line?.slice(line.lastIndexOf(' ')) ?? Number.NaN);
      return seen >= least;
    },
    { what: () => `${metric} of ${check} at ${least}; last seen ${seen}`, timeout: 120_000 },
  );
}
