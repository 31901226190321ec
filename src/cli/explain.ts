import type { RawObject } from '../kubernetes/raw-object.ts';
import { isRecord } from '../kubernetes/raw-object.ts';
import { resources } from '../kubernetes/resources.ts';
import { systemClock } from '../lib/clock.ts';
import { describeSpan, elapsed, parseRfc3339, seconds } from '../lib/units.ts';
import { type Access, type AccessFlags, withAccess } from './access.ts';
import { emptyIfUnreadable, type Facts } from './facts.ts';
import { type ExitCode, exitCodes } from './outcome.ts';
import { painter, printable } from './paint.ts';
import { leasePlace, type PollsRead, readPolls } from './polls.ts';
import { pollsTable, pollWords } from './polls-text.ts';
import type { RolloutStatus } from './rollout-status.ts';
import { wordsFor } from './rule-words.ts';
import { readFacts, statusOf } from './status.ts';
import { isLive, statusCard } from './status-text.ts';
import type { Terminal } from './terminal.ts';

export interface ExplainFlags extends AccessFlags {
  readonly output?: 'json' | undefined;
  /** How many of the last polls are shown; 0: they are not asked for. */
  readonly polls: number;
  /** `NAMESPACE/NAME` of the Lease that names the leader. */
  readonly lease: string;
}

/** One Event that the controller recorded about the Deployment. */
export interface ToldEvent {
  readonly at: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

const mostEvents = 12;

/** Columns where no terminal looks on. */
const unlimited = Number.POSITIVE_INFINITY;

/** `haldane explain NAME`: how it stands, what that means, what would change it, what happened. */
export function explainCommand(
  name: string,
  flags: ExplainFlags,
  terminal: Terminal,
): Promise<ExitCode> {
  const lease = leasePlace(flags.lease);
  return withAccess(flags, async (access) => {
    const signal = AbortSignal.timeout(seconds(30));
    const facts = await readFacts(access, name, signal);
    const status = statusOf(facts);
    const [events, polls] = await Promise.all([
      eventsAbout(access, facts, signal),
      flags.polls === 0 ? undefined : readPolls(access, lease, status, signal),
    ]);
    if (flags.output === 'json') {
      const words = wordsFor(status.rule, status.phase) ?? null;
      const shown = pollsJson(polls, flags.polls);
      terminal.out(JSON.stringify({ ...status, words, events, ...shown }, null, 2));
    } else {
      const told = pollLines(status, polls, flags.polls, terminal);
      terminal.out(explanation(status, told, events, terminal));
    }
    return exitCodes.ok;
  });
}

/** `polls` null: they could not be had, and `pollsUnreachable` says why. */
function pollsJson(read: PollsRead | undefined, most: number): object {
  if (read === undefined) return {};
  return read.kind === 'polls'
    ? { polls: { ...read.recorded, polls: read.recorded.polls.slice(-most) } }
    : { polls: null, pollsUnreachable: read.because };
}

/** The last polls of the rollout shown, as a table and in words. */
function pollLines(
  status: RolloutStatus,
  read: PollsRead | undefined,
  most: number,
  { color, live, columns }: Terminal,
): readonly string[] {
  const paint = painter(color);
  if (read === undefined) return [];
  if (read.kind === 'unreachable') {
    // At rest nobody misses them.
    if (!isLive(status) && status.phase !== 'rejected') return [];
    const sentence =
      'The last polls could not be read from the controller; what is shown stands in the ' +
      `annotations. Reason: ${printable(read.because)}.`;
    return ['', paint('dim', sentence)];
  }
  const { revision, attempt, ended } = read.recorded;
  const polls = read.recorded.polls.slice(-most);
  const last = polls.at(-1);
  if (last === undefined) return [];
  const which = ended ? `revision ${printable(revision)}, attempt ${attempt}, has ended` : '';
  const title = which === '' ? 'last polls' : `last polls (${which})`;
  const options = { paint, now: systemClock.now(), columns: live ? columns - 2 : unlimited };
  const words = pollWords(ended ? { ...last, requestsNeeded: null } : last);
  const table = pollsTable(polls, options).split('\n');
  return ['', paint('dim', title), ...[...table, ...words].map((line) => `  ${line}`)];
}

function explanation(
  status: RolloutStatus,
  polls: readonly string[],
  events: readonly ToldEvent[],
  terminal: Terminal,
): string {
  const paint = painter(terminal.color);
  const now = systemClock.now();
  const lines = [statusCard(status, { paint, now, columns: unlimited })];
  const words = wordsFor(status.rule, status.phase);
  if (words !== undefined) {
    lines.push('', `${paint('dim', 'meaning')}  ${words.means}`);
    lines.push(`${paint('dim', 'next')}     ${words.next}`);
  }
  lines.push(...polls);
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
