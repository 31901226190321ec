// What the controller says of one rollout on its own metrics port, read as a Prometheus would.

export interface LiveCheck {
  readonly name: string;
  /** Shares of requests since the step began, 0 to 1. */
  readonly canary: number;
  readonly stable: number;
  /** Evidence that the canary is worse, and where it is rolled back. */
  readonly evidence: number;
  readonly threshold: number;
  /** Evidence that the next weight is safe, and where the step passes; NaN: it only rejects. */
  readonly promotion: number;
  readonly promotionThreshold: number;
}

export interface LiveRollout {
  readonly weight: number;
  /** 1-based; 0 before the first. */
  readonly step: number;
  readonly steps: number;
  readonly phase: string;
  readonly requests: number;
  readonly failed: number;
  readonly checks: readonly LiveCheck[];
}

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Undefined at rest, and when nobody answers. */
export async function readRollout(
  metricsUrl: string,
  namespace: string,
  deployment: string,
): Promise<LiveRollout | undefined> {
  const text = await fetch(metricsUrl, { signal: AbortSignal.timeout(1000) })
    .then((answer) => answer.text())
    .catch(() => '');
  const samples = parseSamples(text).filter(
    ({ labels }) => labels['namespace'] === namespace && labels['deployment'] === deployment,
  );
  return rolloutOf(samples);
}

/** Lines of the text format; our own exporter escapes nothing in these labels. */
export function parseSamples(text: string): readonly Sample[] {
  return text.split('\n').flatMap((line) => {
    const found = /^(haldane_\w+)\{([^}]*)\} (\S+)/.exec(line);
    if (found === null) return [];
    const [, name = '', labels = '', said = ''] = found;
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text]);
    const value = said === '+Inf' ? Number.POSITIVE_INFINITY : Number(said);
    return [{ name, labels: Object.fromEntries(pairs) as Labels, value }];
  });
}

export function rolloutOf(samples: readonly Sample[]): LiveRollout | undefined {
  const find = (name: string, check?: string) =>
    samples.find(
      (one) =>
        one.name === `haldane_${name}` && (check === undefined || one.labels['check'] === check),
    );
  const valueOf = (name: string, check?: string) => find(name, check)?.value ?? Number.NaN;
  const phase = find('rollout_phase')?.labels['phase'];
  if (phase === undefined || Number.isNaN(valueOf('canary_weight_percent'))) return undefined;
  const names = samples
    .filter(({ name }) => name === 'haldane_check_evidence')
    .map(({ labels }) => labels['check'] ?? '');
  return {
    weight: valueOf('canary_weight_percent'),
    step: valueOf('rollout_step'),
    steps: valueOf('rollout_steps'),
    phase,
    requests: valueOf('canary_requests') || 0,
    failed: valueOf('canary_failed_requests') || 0,
    checks: names.map((name) => ({
      name,
      canary: valueOf('check_canary_ratio', name),
      stable: valueOf('check_stable_ratio', name),
      evidence: valueOf('check_evidence', name),
      threshold: valueOf('check_evidence_threshold', name),
      promotion: valueOf('check_promotion_evidence', name),
      promotionThreshold: valueOf('check_promotion_evidence_threshold', name),
    })),
  };
}

/** A share, 0 to 1, as people read it. */
export const percentOf = (share: number): string =>
  Number.isNaN(share) ? '–' : `${Number((share * 100).toPrecision(2))} %`;
const short = (value: number): string => String(Number(Math.min(value, 1e6).toPrecision(2)));

/** One line that says how far the judgement has come. */
export function describe({ weight, step, steps, checks }: LiveRollout): string {
  const place = `${weight} %, ${step > steps ? 'every step passed' : `step ${step}/${steps}`}`;
  const [first] = checks;
  if (first === undefined) return `${place}: no evidence yet`;
  const { canary, stable, evidence, threshold, promotion, promotionThreshold } = first;
  const compared = `${first.name} ${percentOf(canary)}, stable ${percentOf(stable)}`;
  const harm = `harm ${short(evidence)}/${threshold}`;
  const go = Number.isNaN(promotion) ? '' : `, safe ${short(promotion)}/${promotionThreshold}`;
  return `${place}: ${compared}; ${harm}${go}`;
}
