import { readFileSync } from 'node:fs';
import { type CheckCounts, type Counts, isGauges } from '../../../src/analysis/counts.ts';
import { millis, seconds } from '../../../src/lib/units.ts';
import type { EvidenceNames, EvidenceRequest } from '../../../src/metric-sources/metric-source.ts';
import type { CompiledCheck, CompiledChecks } from '../../../src/metric-sources/template.ts';
import { compileChecks } from '../../../src/metric-sources/template.ts';
import { parseConfig } from '../../../src/spec/config-file.ts';

/** The configuration that is shipped. */
export const shippedConfig = (() => {
  const file = new URL('../../../config/haldane.yaml', import.meta.url);
  const parsed = parseConfig(readFileSync(file, 'utf8'), 'config/haldane.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('\n'));
  return parsed.config;
})();

export function checkNamed(name: string, compiled: CompiledChecks = shippedChecks): CompiledCheck {
  const check = compiled.ok ? compiled.checks.get(name) : undefined;
  if (check === undefined) throw new Error(`no check ${name}`);
  return check;
}

const shippedChecks = compileChecks(shippedConfig);

export const namesOf = (change: Partial<EvidenceNames> = {}): EvidenceNames => ({
  namespace: 'demo',
  deployment: 'web',
  route: 'web',
  port: '8080',
  stable: { service: 'web', replicaSet: 'web-7d4b9' },
  canary: { service: 'web-canary-ab12cd34ef', replicaSet: 'web-ab12cd34ef' },
  ...change,
});

export const requestOf = (change: Partial<EvidenceRequest> = {}): EvidenceRequest => ({
  id: 'demo/web/errors',
  check: checkNamed('errors'),
  names: namesOf(),
  window: seconds(60),
  ...change,
});

export type Sample = readonly [seconds: number, value: number | string];

/** One stored series of a source that tests set up. */
export interface StoredSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly Sample[];
}

export const traefikService = (names: EvidenceNames, arm: 'stable' | 'canary'): string =>
  `httproute-${names.namespace}-${names.route}-gw-infra-gw-ep-web-0-9fd6672788a0d0cc83ca` +
  `-svc-${names.namespace}-${names[arm].service}-${arm === 'stable' ? 0 : 1}@kubernetesgateway`;

export const traefikSeries = (
  names: EvidenceNames,
  arm: 'stable' | 'canary',
  code: string,
  samples: readonly Sample[],
): StoredSeries => ({
  labels: {
    __name__: 'traefik_service_requests_total',
    code,
    instance: '10.244.0.9:9100',
    job: 'traefik',
    method: 'GET',
    protocol: 'http',
    service: traefikService(names, arm),
  },
  samples,
});

export const oneSecond = millis(1000);

/** Counts of the first component of a check. */
export const firstOf = (counts: CheckCounts | undefined): Counts | undefined =>
  counts === undefined || isGauges(counts) ? undefined : counts[0];
