import { z } from 'zod';
import type { EvidenceState } from '../analysis/evidence.ts';
import { type PackedEvidence, packEvidence, unpackEvidence } from '../analysis/packing.ts';
import type { Instant, Millis, Percent } from '../lib/units.ts';
import type { RolloutState } from '../rollout/state.ts';

/** Largest state that is written, in UTF-16 units. */
export const stateLimit = 16_384;
const version = 1;

/** The unit is of the type alone: a transform would cost more than all checks of the number. */
const inUnit = <T extends number>(schema: z.ZodNumber) => schema as unknown as z.ZodType<T>;

const moment = inUnit<Instant>(z.number().int().min(0).max(253_402_300_799_999));
const span = inUnit<Millis>(z.number().min(0));
const share = inUnit<Percent>(z.number().min(0).max(100));
const text = z.string().max(2048);

const spec = z.strictObject({
  service: text.optional(),
  route: z.strictObject({ kind: z.literal('httproute'), name: text }).optional(),
  steps: z.array(share).min(1).max(50),
  profile: text,
  checks: z.array(text),
  minStep: span,
  maxStep: span,
  bake: span,
  onReject: z.enum(['keep', 'revert']),
  notify: z.array(text),
  pause: z.enum(['on-change', 'at-rest']).optional(),
  flinch: z.boolean(),
});

const ladder = z.strictObject({
  by: z.enum(['annotation', 'config', 'traffic', 'unmeasured']),
  requestsPerSecond: z.number().min(0).nullable(),
  firstStepSeconds: z.number().min(0).nullable(),
  onePercentSeconds: z.number().min(0).nullable(),
});

const per = z.literal('pod-second').optional();

const metric = z.strictObject({
  check: text,
  canary: z.number(),
  stable: z.number(),
  per,
  evidence: z.number(),
  threshold: z.number(),
  excess: z.strictObject({ low: z.number(), high: z.number() }).optional(),
});

const state = z.strictObject({
  v: z.literal(version),
  deploymentUid: text,
  revision: text,
  attempt: z.number().int().min(1),
  startedAt: moment,
  replicasAtStart: z.number().int().min(0),
  spec,
  ladder: ladder.nullable().optional(),
  step: z.strictObject({
    index: z.number().int().min(-1).max(51),
    fromIndex: z.number().int().min(-1).max(51),
    from: share,
    to: share,
    raisedAt: moment,
    inForceAt: moment.nullable(),
  }),
  pause: z.strictObject({ by: text, at: moment, because: text }).nullable(),
  requestId: text.nullable(),
  bounds: z.record(z.string(), z.array(z.number().min(0)).max(32)).nullable(),
  alphaShare: z.number().gt(0).max(1).optional(),
  restartedPod: z
    .strictObject({
      name: text,
      uid: text,
      exposedRequests: z.number().min(0),
      failedRequests: z.number().min(0),
    })
    .optional(),
  // Packed by `analysis`, which alone can tell whether it is whole.
  evidence: z.unknown(),
  stream: z
    .strictObject({
      interval: span,
      boundary: moment,
      behind: z.record(z.string(), moment).optional(),
    })
    .nullable(),
  exposedRequests: z.number().min(0),
  failedRequests: z.number().min(0),
  outcome: z
    .strictObject({
      kind: z.enum(['promotion', 'rollback', 'superseded']),
      rule: text,
      because: text,
      at: moment,
      weight: share,
      step: z.number().int().min(0),
      metric: metric.optional(),
    })
    .nullable(),
  delivered: z.array(text).max(64),
  summary: z.strictObject({
    phase: text,
    rule: text,
    because: text,
    weight: share,
    step: z.number().int().min(0),
    checks: z.array(
      z.strictObject({
        check: text,
        canaryRatio: z.number(),
        stableRatio: z.number(),
        per,
        evidence: z.number(),
        promotion: z.number(),
        dryRun: z.boolean().optional(),
      }),
    ),
    updatedAt: moment,
  }),
});

/** The live state as the value of one annotation. */
export const encodeState = (value: RolloutState): string =>
  JSON.stringify({
    v: version,
    ...value,
    evidence: value.evidence === null ? null : packEvidence(value.evidence),
  });

/**
 * Reads a state back. `unreadable` for anything that is not exactly what {@link encodeState}
 * writes: another
 * version, a truncated or an edited value. Undefined when it belongs to another Deployment, e.g. a
 * copy made with
 * `kubectl get -o yaml | kubectl apply` (S13).
 */
export function decodeState(
  value: string,
  deploymentUid: string,
): RolloutState | 'unreadable' | undefined {
  if (value.length > stateLimit) return 'unreadable';
  const parsed = state.safeParse(jsonOf(value));
  if (!parsed.success) return 'unreadable';
  const { v: _version, ...found } = parsed.data;
  if (found.deploymentUid !== deploymentUid) return undefined;
  const { index, to } = found.step;
  const steps = found.spec.steps;
  const expected = index < 0 ? 0 : index >= steps.length ? 100 : steps[index];
  // A step that does not carry the weight of its own ladder was edited.
  if (index > steps.length || to !== expected) return 'unreadable';
  const evidence = unpacked(found.evidence);
  if (evidence === undefined) return 'unreadable';
  return { ...found, evidence } as RolloutState;
}

/** Undefined when it is not what `packEvidence` makes. */
function unpacked(packed: unknown): EvidenceState | null | undefined {
  if (packed === null) return null;
  try {
    return unpackEvidence(packed as PackedEvidence);
  } catch {
    return undefined;
  }
}

function jsonOf(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
