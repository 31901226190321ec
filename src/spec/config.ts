import { z } from 'zod';
import { type Percent, percent } from '../lib/units.ts';
import {
  configName,
  factor,
  filePath,
  named,
  promqlText,
  share,
  span,
  wholeNumber,
} from './config-values.ts';
import { baseUrlFault } from './urls.ts';

// The whole of config/haldane.yaml. Every object is strict: a mistyped key is an error and never a
// silently lost guard. Descriptions become docs/configuration.md and the JSON Schema.

const day = 86_400_000;

const source = z
  .strictObject({
    kind: z.literal('prometheus').default('prometheus').describe('What answers the queries.'),
    url: z.string().max(2048).describe('Base URL; /api/v1/query is appended.'),
    plainHttp: z
      .boolean()
      .default(false)
      .describe('Allows http:// to a host that is not recognisably inside the cluster.'),
    bearerTokenFile: filePath
      .optional()
      .describe('File with a bearer token, read for every query.'),
    caFile: filePath.optional().describe('PEM file of the authority that signed the certificate.'),
    certFile: filePath.optional().describe('PEM file of a client certificate.'),
    keyFile: filePath.optional().describe('PEM file of its key.'),
    serverName: z.string().max(253).optional().describe('Name expected in the certificate.'),
    tenant: z
      .string()
      .regex(/^[A-Za-z0-9!_.*'()|-]{1,150}$/, {
        error: "use letters, digits and ! - _ . * ' ( ) |",
      })
      .optional()
      .describe('Sent as X-Scope-OrgID, for Mimir, Cortex and Loki-like front ends.'),
    timeout: span(100, 30_000).prefault('5s').describe('Longest time for one whole query.'),
    maxInFlight: wholeNumber(1, 16).default(2).describe('Queries under way at the same time.'),
    replicaLabels: z
      .array(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/, { error: 'is no label name' }))
      .max(16)
      .default(['prometheus_replica', '__replica__', 'thanos_replica', 'receive_replica'])
      .describe('Labels that tell apart copies of the same series in a highly available pair.'),
  })
  .superRefine((value, context) => {
    const fault = baseUrlFault(value.url, value.plainHttp);
    if (fault !== undefined) {
      const params = { secret: true };
      context.addIssue({ code: 'custom', path: ['url'], message: fault, params });
    }
    if ((value.certFile === undefined) !== (value.keyFile === undefined)) {
      context.addIssue({ code: 'custom', message: 'certFile and keyFile belong together' });
    }
  });

const template = z
  .strictObject({
    source: configName.default('default').describe('Name of the source that is asked.'),
    description: z.string().max(400).default('').describe('For people.'),
    total: promqlText
      .optional()
      .describe('Selector of the request counters of one arm, with placeholders.'),
    bad: promqlText
      .optional()
      .describe('Label matchers that tell failed requests among them, e.g. code=~"5..".'),
    badTotal: promqlText
      .optional()
      .describe('Instead of bad: selector of a counter of failed requests alone.'),
    buckets: promqlText
      .optional()
      .describe('Selector of the latency histogram (_bucket) of one arm, with placeholders.'),
    nativeHistogram: promqlText
      .optional()
      .describe(
        'Instead of buckets: selector of a native latency histogram, by its bare name. ' +
          'Prometheus must be told to scrape them.',
      ),
    gauge: promqlText
      .optional()
      .describe('Selector of a gauge of the pods of one arm; needs podLabel.'),
    podLabel: z
      .string()
      .regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/, { error: 'is no label name' })
      .optional()
      .describe('Label that names the pod, where there is one; tells how much pods differ.'),
  })
  .superRefine((value, context) => {
    for (const message of templateFaults(value)) context.addIssue({ code: 'custom', message });
  });

interface TemplateTexts {
  readonly total?: string | undefined;
  readonly bad?: string | undefined;
  readonly badTotal?: string | undefined;
  readonly buckets?: string | undefined;
  readonly nativeHistogram?: string | undefined;
  readonly gauge?: string | undefined;
  readonly podLabel?: string | undefined;
}

/** What belongs together, and what excludes each other. */
function templateFaults(value: TemplateTexts): readonly string[] {
  const { total, bad, badTotal, buckets, nativeHistogram, gauge, podLabel } = value;
  const failed = bad ?? badTotal;
  const faults: string[] = [];
  if ((total === undefined) !== (failed === undefined)) {
    faults.push('total and bad, or total and badTotal, belong together');
  }
  if (bad !== undefined && badTotal !== undefined) {
    faults.push('bad chooses among total, badTotal is a counter of its own: use one of them');
  }
  if (buckets !== undefined && nativeHistogram !== undefined) {
    faults.push('buckets and nativeHistogram are the same metric in two forms: use one of them');
  }
  if (gauge !== undefined && podLabel === undefined) {
    faults.push('gauge needs podLabel, the label that names the pod: pods are compared');
  }
  if ([total, buckets, nativeHistogram, gauge].every((text) => text === undefined)) {
    faults.push('needs total and bad (or badTotal), buckets (or nativeHistogram), or gauge');
  }
  return faults;
}

const checkKinds = ['ratio', 'histogram', 'gauge-per-pod', 'restarts'] as const;

const gaugeTolerance = z
  .strictObject({
    ratio: factor(1, 1000).default(1.25).describe('Factor on the worst stable pod.'),
    absolute: factor(0, 1e18).default(0).describe('Added to it, in the unit of the gauge.'),
  })
  .refine(({ ratio, absolute }) => ratio > 1 || absolute > 0, {
    error: 'tolerates nothing; use a ratio above 1 or an absolute above 0',
  });

const forGauges = ['direction', 'tolerance', 'window'] as const;
/** What is asked of a source, and what its answers mean. */
const forSources = ['template', 'onEmpty', 'objective', ...forGauges] as const;

const check = z
  .strictObject({
    kind: z
      .enum(checkKinds, { error: 'use ratio, histogram, gauge-per-pod or restarts' })
      .describe(
        'ratio: share of failed requests. histogram: share of requests slower than a bound. ' +
          'gauge-per-pod: a value of the canary pods beside that of the stable pods. ' +
          'restarts: how often containers end other than well, per pod and hour.',
      ),
    template: configName
      .optional()
      .describe('Name of the template; needed but for restarts, which the pods themselves tell.'),
    share: factor(0.001, 1)
      .optional()
      .describe('Weight of its evidence among the checks of a rollout; default: by kind.'),
    dryRun: z.boolean().default(false).describe('Computed and shown, never acted on.'),
    onEmpty: z
      .enum(['hold', 'ignore'], { error: 'use hold or ignore' })
      .optional()
      .describe(
        'While there is no fresh answer: no step, or steps without this check; hold unless told.',
      ),
    objective: span(1, 600_000)
      .optional()
      .describe(
        'histogram: compares the share of requests slower than this alone, or than the next ' +
          'bucket above it, e.g. the latency that the service promises.',
      ),
    direction: z
      .enum(['up', 'down'], { error: 'use up or down' })
      .optional()
      .describe('gauge-per-pod: where worse lies; up unless told.'),
    tolerance: gaugeTolerance
      .optional()
      .describe('gauge-per-pod: how far a canary pod may lie beyond the worst stable pod.'),
    window: span(5000, 3_600_000)
      .optional()
      .describe('gauge-per-pod: so long it must lie there for one look; 30s unless told.'),
  })
  .superRefine((value, context) => {
    const refuse = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: [key], message });
    if (value.kind === 'restarts') {
      const allowed = 'is not for restarts, which the pods themselves tell; use share and dryRun';
      for (const key of forSources) if (value[key] !== undefined) refuse(key, allowed);
      return;
    }
    if (value.template === undefined) refuse('template', `is required for a ${value.kind}`);
    const misplaced = (keys: readonly (keyof typeof value)[], kind: typeof value.kind) => {
      for (const key of keys) {
        if (value.kind === kind || value[key] === undefined) continue;
        refuse(key, `is for ${kind}, and this check is a ${value.kind}`);
      }
    };
    misplaced(['objective'], 'histogram');
    misplaced(forGauges, 'gauge-per-pod');
  });

const tolerance = (ratio: number, points: string) =>
  z
    .strictObject({
      ratio: factor(1, 10).default(ratio).describe('Factor on the rate of stable.'),
      points: share({ most: 50 }).prefault(points).describe('Added to it, in percentage points.'),
    })
    .prefault({});

const limitsOf = (rollback: [number, string], promotion: [number, string]) =>
  z
    .strictObject({
      rollback: tolerance(...rollback).describe('Worse than this is rolled back.'),
      promotion: tolerance(...promotion).describe(
        'Safe means better than this; the points are divided by the next weight.',
      ),
    })
    .superRefine(({ rollback, promotion }, context) => {
      if (promotion.ratio > rollback.ratio && promotion.points > rollback.points) return;
      const message =
        'promotion must tolerate more than rollback, or some canaries end neither way';
      context.addIssue({ code: 'custom', path: ['promotion'], message });
    })
    .prefault({});

const profile = z.strictObject({
  alpha: share({ most: 10 })
    .prefault('1%')
    .describe('Chance that a whole healthy rollout is rolled back, at the most.'),
  beta: share({ most: 20 })
    .prefault('5%')
    .describe('Chance per step and check that an unacceptable canary goes on, at the most.'),
  errors: limitsOf([1.25, '0.25%'], [1.5, '0.5%']).describe('Tolerances of ratio checks.'),
  latency: limitsOf([1.25, '1%'], [1.5, '2%']).describe('Tolerances of histogram checks.'),
  limit: share({ most: 100 })
    .prefault('5%')
    .describe('Share of bad canary requests that is never acceptable, whatever stable does.'),
  minStep: span(1000, day).prefault('15s').describe('Shortest time at a weight.'),
  maxStep: span(60_000, 30 * day)
    .prefault('2h')
    .describe('Longest time; then hold and tell.'),
  bake: span(0, day).prefault('15s').describe('Shortest time at the last weight.'),
  warmUp: span(0, 3_600_000).prefault('30s').describe('Latency is not judged for so long.'),
  confirm: wholeNumber(0, 20).default(1).describe('Further scrapes that must confirm a failure.'),
  minBad: wholeNumber(1, 1000).default(3).describe('Failed canary requests needed to reject.'),
  flinch: z.boolean().default(true).describe('Lower the weight at the first strong suspicion.'),
});

const notifier = z.strictObject({
  kind: z
    .enum(['slack', 'webhook'], { error: 'use slack or webhook' })
    .describe('Form of notices.'),
  urlFile: filePath.describe('File with the URL; the URL is a secret.'),
  hmacKeyFile: filePath.optional().describe('webhook: file with the key that signs notices.'),
  timeout: span(500, 30_000).prefault('5s').describe('Longest time for one try.'),
  cluster: z.string().max(80).optional().describe('Which cluster speaks.'),
  link: z
    .string()
    .max(500)
    .regex(/^https?:\/\//, { error: 'must begin with http:// or https://' })
    .optional()
    .describe('Page about a rollout; {namespace} and {deployment} are filled in.'),
  events: z
    .array(z.enum(['started', 'promotion', 'rollback', 'hold', 'paused', 'invalid', 'superseded']))
    .default(['promotion', 'rollback', 'hold', 'paused', 'invalid'])
    .describe('What is worth a notice.'),
});

const limits = z
  .strictObject({
    propagation: span(0, 300_000).prefault('2s').describe('A route write may take so long to act.'),
    drain: span(0, 600_000).prefault('5s').describe('Pods outlive their traffic by so much.'),
    canaryReady: span(5000, day).prefault('5m').describe('Canary pods must be ready by then.'),
    debounce: span(0, 10_000).prefault('50ms').describe('Events of one object are joined so long.'),
    history: span(60_000, 6 * 3_600_000)
      .prefault('1h')
      .describe('How far back stable is looked at before a rollout begins.'),
    activeRollouts: wholeNumber(1, 10_000).default(500).describe('Rollouts at the same time.'),
  })
  .prefault({});

const controller = z
  .strictObject({
    namespaces: z
      .array(z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, { error: 'is no namespace' }))
      .max(500)
      .default([])
      .describe('Namespaces that are watched; none = all.'),
    leaderElection: z.boolean().default(true).describe('Off only where a single copy can run.'),
    leaseNamespace: z.string().max(63).default('haldane').describe('Namespace of the Lease.'),
    leaseName: z.string().max(253).default('haldane').describe('Name of the Lease.'),
    metricsPort: wholeNumber(0, 65_535).default(8081).describe('/metrics, /healthz, /readyz.'),
    logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severe.'),
  })
  .prefault({});

const steps = z
  .array(wholeNumber(1, 99))
  .min(1)
  .max(50)
  .refine((all) => all.every((step, i) => i === 0 || step > (all[i - 1] ?? 0)), {
    error: 'must rise from step to step',
  })
  .transform((all): readonly Percent[] => all.map(percent));

const defaults = z
  .strictObject({
    steps: steps.prefault([1, 5, 10, 25, 50]).describe('Weights in percent; then 100.'),
    profile: configName.default('default').describe('Profile of who names none.'),
    checks: z.array(configName).min(1).max(20).default(['errors']).describe('Checks likewise.'),
    notify: z.array(configName).max(20).default([]).describe('Notifiers likewise.'),
    onReject: z.enum(['keep', 'revert']).default('keep').describe('As the annotation on-reject.'),
  })
  .prefault({});

export const configSchema = z.strictObject({
  sources: named(source).describe('Where evidence comes from, by name.'),
  templates: named(template).describe('What is asked there, by name.'),
  checks: named(check).describe('What is compared, by name; annotations choose among these.'),
  profiles: named(profile).prefault({ default: {} }).describe('Analysis policies, by name.'),
  notifiers: named(notifier).prefault({}).describe('Who can be told, by name.'),
  defaults: defaults.describe('What holds for a Deployment that does not say.'),
  limits: limits.describe('Times and sizes of the mechanism.'),
  controller: controller.describe('The process itself.'),
});

export type Config = z.output<typeof configSchema>;
export type SourceConfig = z.output<typeof source>;
export type TemplateConfig = z.output<typeof template>;
export type CheckConfig = z.output<typeof check>;
export type ProfileConfig = z.output<typeof profile>;
export type NotifierConfig = z.output<typeof notifier>;
export type LimitsConfig = z.output<typeof limits>;
export type ControllerConfig = z.output<typeof controller>;

/** A name that points nowhere, with the path of the text that holds it. */
export interface DanglingName {
  readonly path: readonly (string | number)[];
  readonly name: string;
  readonly what: string;
  readonly known: readonly string[];
}

/** Every reference by name must lead somewhere: templates to sources, checks to templates, … */
export function danglingNames(config: Config): DanglingName[] {
  const found: DanglingName[] = [];
  const expect = (
    path: readonly (string | number)[],
    name: string,
    what: string,
    known: ReadonlyMap<string, unknown>,
  ) => {
    if (!known.has(name)) found.push({ path, name, what, known: [...known.keys()] });
  };
  for (const [name, { source }] of config.templates) {
    expect(['templates', name, 'source'], source, 'source', config.sources);
  }
  for (const [name, { template }] of config.checks) {
    if (template === undefined) continue;
    expect(['checks', name, 'template'], template, 'template', config.templates);
  }
  const { profile, checks, notify } = config.defaults;
  expect(['defaults', 'profile'], profile, 'profile', config.profiles);
  for (const [i, name] of checks.entries()) {
    expect(['defaults', 'checks', i], name, 'check', config.checks);
  }
  for (const [i, name] of notify.entries()) {
    expect(['defaults', 'notify', i], name, 'notifier', config.notifiers);
  }
  return found;
}

/** Checks that count requests and act. Without one of them a rollout has no evidence of errors. */
export const countingChecks = ({ checks }: Pick<Config, 'checks'>): readonly string[] =>
  [...checks].flatMap(([name, { kind, dryRun }]) =>
    (kind === 'ratio' || kind === 'histogram') && !dryRun ? [name] : [],
  );

/** What is wrong with the default checks, all of which exist, as a whole. */
export function idleDefaults(config: Config): string | undefined {
  const counting = countingChecks(config);
  return config.defaults.checks.some((name) => counting.includes(name))
    ? undefined
    : 'none of them counts requests and acts; use a ratio or histogram that is no dry run';
}
