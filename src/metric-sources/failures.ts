import { type Arm, type EvidenceRequest, type Reading, unusable } from './metric-source.ts';

// Failed requests that a counter of their own counts, beside a counter of all requests.

/** The request for the failed ones alone; none where labels tell them among all. */
export function ofFailures(request: EvidenceRequest): readonly EvidenceRequest[] {
  const { failures, ...check } = request.check;
  if (failures === undefined) return [];
  // Without matchers every series of this selector counts failed requests.
  return [{ ...request, check: { ...check, ...failures, bad: [], failures: undefined } }];
}

/**
 * Both answers as one. No series of failed requests means that none failed, but only in an arm
 * whose requests are counted.
 */
export function withFailures(all: Reading, failed: Reading): Reading {
  if (all.kind === 'unusable') return all;
  if (failed.kind === 'unusable') return failed;
  for (const arm of ['stable', 'canary'] as const satisfies readonly Arm[]) {
    const counted = all.series.some((one) => one.arm === arm);
    const failing = failed.series.some(
      (one) => one.arm === arm && one.values.some((value) => value > 0),
    );
    if (failing && !counted) {
      return unusable(
        'total-absent',
        `failed requests of ${arm} are counted, its requests are not`,
      );
    }
  }
  const apart = failed.series.map((one) => ({
    ...one,
    key: `failed\u0000${one.key}`,
    bad: true,
    apart: true as const,
  }));
  return { ...all, series: [...all.series, ...apart] };
}
