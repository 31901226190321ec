import type { RawObject } from '../kubernetes/raw-object.ts';
import { isRecord } from '../kubernetes/raw-object.ts';
import { resources } from '../kubernetes/resources.ts';
import { systemClock } from '../lib/clock.ts';
import { describeSpan, elapsed, parseRfc3339, seconds } from '../lib/units.ts';
import { type Access, type AccessFlags, withAccess } from './access.ts';
import { emptyIfUnreadable, type Facts } from './facts.ts';
import { type ExitCode, exitCodes } from './outcome.ts';
import { painter, printable } from './paint.ts';
import type { RolloutStatus } from './rollout-status.ts';
import { wordsFor } from './rule-words.ts';
import { readFacts, statusOf } from './status.ts';
import { statusCard } from './status-text.ts';
import type { Terminal } from './terminal.ts';

export interface ExplainFlags extends AccessFlags {
  readonly output?: 'json' | undefined;
}

/** One Event that the controller recorded about the Deployment. */
export interface ToldEvent {
  readonly at: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

const mostEvents = 12;

/** `haldane explain NAME`: how it stands, what that means, what would change it, what happened. */
export function explainCommand(
  name: string,
  flags: ExplainFlags,
  terminal: Terminal,
): Promise<ExitCode> {
  return withAccess(flags, async (access) => {
    const signal = AbortSignal.timeout(seconds(30));
    const facts = await readFacts(access, name, signal);
    const status = statusOf(facts);
    const events = await eventsAbout(access, facts, signal);
    if (flags.output === 'json') {
      const words = wordsFor(status.rule, status.phase) ?? null;
      terminal.out(JSON.stringify({ ...status, words, events }, null, 2));
    } else {
      terminal.out(explanation(status, events, terminal));
    }
    return exitCodes.ok;
  });
}

function explanation(
  status: RolloutStatus,
  events: readonly ToldEvent[],
  terminal: Terminal,
): string {
  const paint = painter(terminal.color);
  const now = systemClock.now();
  const lines = [statusCard(status, { paint, now, columns: Number.POSITIVE_INFINITY })];
  const words = wordsFor(status.rule, status.phase);
  if (words !== undefined) {
    lines.push('', `${paint('dim', 'meaning')}  ${words.means}`);
    lines.push(`${paint('dim', 'next')}     ${words.next}`);
  }
  if (events.length > 0) lines.push('', paint('dim', 'what happened'));
  for (const { at, type, reason, message } of events) {
    const moment = parseRfc3339(at);
    const ago = moment === undefined ? at : `${describeSpan(elapsed(moment, now))} ago`;
    const named = type === 'Warning' ? paint('yellow', reason) : reason;
    lines.push(`  ${ago.padStart(14)}  ${named}  ${printable(message)}`);
  }
  return lines.join('\n');
}

/**
 * What the controller told about this Deployment, oldest first; nothing where it cannot be read.
 */
async function eventsAbout(
  { client, namespace }: Access,
  { deployment }: Facts,
  signal: AbortSignal,
): Promise<readonly ToldEvent[]> {
  const fieldSelector = `involvedObject.kind=Deployment,involvedObject.name=${deployment.name}`;
  const found: RawObject[] = [];
  try {
    const pages = client.list(resources.events, { namespace, fieldSelector }, signal);
    for await (const page of pages) found.push(...page.items);
  } catch (error) {
    return emptyIfUnreadable(error).map(toldEvent);
  }
  return found
    .filter((raw) => isOurs(raw, deployment.uid))
    .map(toldEvent)
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .slice(-mostEvents);
}

function isOurs(raw: RawObject, uid: string): boolean {
  const { involvedObject: subject, source } = raw;
  const component = isRecord(source) ? source['component'] : raw['reportingComponent'];
  return isRecord(subject) && subject['uid'] === uid && component === 'haldane';
}

function toldEvent(raw: RawObject): ToldEvent {
  const text = (field: string): string => {
    const value = raw[field];
    return typeof value === 'string' ? value : '';
  };
  const at = text('lastTimestamp') || (raw.metadata.creationTimestamp ?? '');
  return { at, type: text('type'), reason: text('reason'), message: text('message') };
}
