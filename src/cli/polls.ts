import { z } from 'zod';
import type { ExplainedPoll } from '../analysis/explained.ts';
import type { RecordedPolls } from '../controller/poll-book.ts';
import { podProxyPath } from '../kubernetes/api-path.ts';
import { isRecord } from '../kubernetes/raw-object.ts';
import { resources } from '../kubernetes/resources.ts';
import { describeError, isOperatingError } from '../lib/errors.ts';
import { seconds } from '../lib/units.ts';
import type { Access } from './access.ts';
import { usageError } from './outcome.ts';

/** Polls as the leader remembers them, or why they cannot be had. */
export type PollsRead =
  | { readonly kind: 'polls'; readonly recorded: RecordedPolls }
  | { readonly kind: 'unreachable'; readonly because: string };

/** The Lease that the controllers elect their leader by. */
export interface LeasePlace {
  readonly namespace: string;
  readonly name: string;
}

/** `haldane/haldane`, as the configuration's `leaseNamespace` and `leaseName`. */
export function leasePlace(text: string): LeasePlace {
  const [namespace = '', name = '', ...rest] = text.split('/');
  if (namespace === '' || name === '' || rest.length > 0) {
    throw usageError(`--lease ${text}: write it as NAMESPACE/NAME, e.g. haldane/haldane`);
  }
  return { namespace, name };
}

/**
 * Asks the leader through the API server's proxy to its pod, so that nobody needs a way into the
 * cluster's network. Never rejects for what the cluster refuses: people then get the reason.
 */
export async function readPolls(
  { client, transport }: Pick<Access, 'client' | 'transport'>,
  lease: LeasePlace,
  rollout: { readonly namespace: string; readonly deployment: string },
  signal: AbortSignal,
): Promise<PollsRead> {
  try {
    const raw = await client.find({ resource: resources.leases, ...lease }, signal);
    const holder = isRecord(raw?.['spec']) ? raw['spec']['holderIdentity'] : undefined;
    if (typeof holder !== 'string' || holder === '') {
      return unreachable(`no controller holds the Lease ${lease.namespace}/${lease.name}`);
    }
    const pod = podOf(holder);
    const place = `rollouts/${rollout.namespace}/${rollout.deployment}/polls`;
    const path = podProxyPath(lease.namespace, pod, place);
    const answer = await transport.request({ method: 'GET', path, timeout: patience }, signal);
    return readAnswer(answer, pod, lease.namespace);
  } catch (error) {
    if (isOperatingError(error, 'KUBERNETES_FORBIDDEN')) {
      return unreachable(`you may not read leases in namespace ${lease.namespace}`);
    }
    if (isOperatingError(error) || signal.aborted) return unreachable(describeError(error));
    throw error;
  }
}

const patience = seconds(5);

/** A holder calls itself by its host name, which is its pod's, its process id and a random word. */
export const podOf = (holder: string): string => holder.replace(/-[0-9]+-[0-9a-z]+$/, '');

function readAnswer(
  { status, json }: { readonly status: number; readonly json: unknown },
  pod: string,
  namespace: string,
): PollsRead {
  if (status === 200) {
    const parsed = recorded.safeParse(json);
    // Only the brands of the numbers are missing.
    return parsed.success
      ? { kind: 'polls', recorded: parsed.data as unknown as RecordedPolls }
      : unreachable(`pod ${pod} answers in a form that this version does not know`);
  }
  if (status === 403) return unreachable(`you may not get pods/proxy in namespace ${namespace}`);
  const message = isRecord(json) ? json['message'] : undefined;
  const said = typeof message === 'string' ? message : `status ${status}`;
  return unreachable(`pod ${pod}: ${said.slice(0, 300)}`);
}

const unreachable = (because: string): PollsRead => ({ kind: 'unreachable', because });

const text = z.string().max(4096);
const share = z.object({ bad: z.number(), total: z.number() });

const check = z.object({
  check: text,
  dryRun: z.boolean(),
  boundSeconds: z.number().nullable(),
  per: z.literal('pod-second').optional(),
  canary: share,
  stable: share,
  evidence: z.number(),
  promotion: z.number().nullable(),
  promotionNeeded: z.number(),
  excess: z.object({ low: z.number(), high: z.number() }).nullable(),
});

/** What is read of each poll; the leader may be of another version and say more. */
const poll = z.object({
  atMillis: z.number(),
  weightPercent: z.number(),
  step: z.number(),
  settling: z.boolean(),
  verdict: z.enum(['pass', 'fail', 'inconclusive']),
  because: text,
  evidence: z.number(),
  evidenceNeeded: z.number(),
  blame: text.nullable(),
  requestsNeeded: z.number().nullable(),
  secondsToNextStep: z.number().nullable(),
  checks: z.array(check).max(100),
}) satisfies z.ZodType<Plain<ExplainedPoll>>;

const recorded = z.object({
  revision: text,
  attempt: z.number(),
  startedAtMillis: z.number(),
  ended: z.boolean(),
  polls: z.array(poll).max(1000),
}) satisfies z.ZodType<Plain<RecordedPolls>>;

/** As it comes over the wire: numbers without their brands. */
type Plain<Value> = Value extends number
  ? number
  : Value extends string
    ? Value
    : Value extends readonly (infer Item)[]
      ? Plain<Item>[]
      : Value extends object
        ? { -readonly [Key in keyof Value]: Plain<Value[Key]> }
        : Value;
