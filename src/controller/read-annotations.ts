import { defaultSteps } from '../analysis/plan.ts';
import type { Problem, RolloutRequest, RolloutSpec } from '../rollout/rollout-spec.ts';
import { marks, type Rejection } from '../rollout/snapshot.ts';
import type { DeploymentView } from '../rollout/views.ts';
import { parseAnnotations } from '../spec/annotations.ts';
import { problem } from '../spec/problems.ts';
import { parseRequest, requestForm } from '../spec/request.ts';
import type { Settings } from './settings.ts';

export interface Asked {
  readonly enabled: boolean;
  readonly spec: RolloutSpec | undefined;
  /** Who chose the steps; traffic: nobody, they follow from it. */
  readonly stepsBy: 'annotation' | 'config' | 'traffic';
  readonly problems: readonly Problem[];
  readonly request: RolloutRequest | undefined;
  readonly requestProblem: Problem | undefined;
}

/** What the annotations of one Deployment say, with the profile's values where they are silent. */
export function readAsked(deployment: DeploymentView, settings: Settings): Asked {
  const known = read.get(deployment);
  if (known?.settings === settings) return known.asked;
  const asked = readAnnotations(deployment, settings);
  read.set(deployment, { settings, asked });
  return asked;
}

/** A view never changes, and is looked at many times before the next one takes its place. */
const read = new WeakMap<DeploymentView, { readonly settings: Settings; readonly asked: Asked }>();

function readAnnotations(deployment: DeploymentView, settings: Settings): Asked {
  const parsed = parseAnnotations(deployment.annotations, settings.annotations);
  const { request, requestProblem } = readRequest(deployment);
  if (!parsed.ok) {
    // A fault never opts out: the marks stay and a running rollout goes on with the terms it began
    // with.
    const { problems } = parsed;
    const nothing = { spec: undefined, stepsBy: 'annotation' } as const;
    return { enabled: true, ...nothing, problems, request, requestProblem };
  }
  const spec = parsed.enabled ? parsed.spec : undefined;
  const stepsBy = parsed.stepsGiven ? 'annotation' : stepsByDefault(settings);
  return { enabled: parsed.enabled, spec, stepsBy, problems: [], request, requestProblem };
}

/** An administrator who wrote other steps than the default ones means them for everybody. */
const stepsByDefault = ({ config }: Settings): Asked['stepsBy'] =>
  String(config.defaults.steps) === String(defaultSteps(Number.POSITIVE_INFINITY))
    ? 'traffic'
    : 'config';

function readRequest(deployment: DeploymentView): Pick<Asked, 'request' | 'requestProblem'> {
  const text = deployment.annotations[marks.request];
  if (text === undefined) return { request: undefined, requestProblem: undefined };
  const parsed = parseRequest(text);
  return parsed.ok
    ? { request: parsed.value, requestProblem: undefined }
    : { request: undefined, requestProblem: problem(marks.request, text, parsed.why, requestForm) };
}

/**
 * Rejections written by us; one that cannot be read is as good as none, its revision is then judged
 * again.
 */
export function readRejections(deployment: DeploymentView): readonly Rejection[] {
  const text = deployment.annotations[marks.rejected];
  if (text === undefined || text.length > 8192) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isRejection) : [];
  } catch {
    return [];
  }
}

function isRejection(value: unknown): value is Rejection {
  if (typeof value !== 'object' || value === null) return false;
  const { revision, attempt, rule, because } = value as Record<string, unknown>;
  const texts = [revision, rule, because];
  return texts.every((text) => typeof text === 'string') && Number.isInteger(attempt);
}
