import { invariant } from '../lib/errors.ts';
import { type Instant, instant, percent } from '../lib/units.ts';
import { betterOdds, worseTilts } from './bets.ts';
import { type ByteReader, type ByteWriter, byteReader, byteWriter } from './bytes.ts';
import type { CheckEvidence, ComponentEvidence, EvidenceState, Rejection } from './evidence.ts';
import type { Wealth } from './wealth.ts';

/**
 * The evidence as short JSON, for an annotation: what it takes to know what this is, and the rest
 * as binary in base64. Nothing is rounded: `unpackEvidence(packEvidence(state))` equals `state` bit
 * for bit.
 */
export interface PackedEvidence {
  readonly version: 1;
  readonly at: Instant | null;
  readonly rest: string;
  /** By the check's name. */
  readonly checks: Readonly<Record<string, string>>;
}

export const packEvidence = (state: EvidenceState): PackedEvidence => ({
  version: state.version,
  at: state.at,
  rest: packed((to) => writeRest(to, state)),
  checks: Object.fromEntries(
    Object.entries(state.checks).map(([name, check]) => [name, packCheck(check)]),
  ),
});

/** Throws InvariantError for text that `packEvidence` did not write. */
export function unpackEvidence({ version, at, rest, checks }: PackedEvidence): EvidenceState {
  invariant(version === 1, 'packed evidence has a known version');
  const unpackedChecks = Object.entries(checks).map(([name, text]) => [name, unpackCheck(text)]);
  const fields = unpacked(rest, (from) => readRest(from));
  return { version, at, ...fields, checks: Object.fromEntries(unpackedChecks) };
}

function writeRest(to: ByteWriter, state: EvidenceState): void {
  const { limit, recent, split, rejected } = state;
  to.count(state.alphaShare);
  to.count(state.interval);
  to.count(state.pollsInForce);
  to.count(state.agreeing);
  for (const value of [state.startedAt, state.inForceSince, state.step, state.weight, state.next]) {
    writeOptional(to, value);
  }
  writeText(to, rejected === null ? '' : JSON.stringify(rejected));
  writeWealth(to, limit.wealth, true);
  to.count(limit.polls);
  to.count(limit.agreeing);
  writeOptional(to, limit.window);
  for (const value of [split.less, split.more]) to.double(value);
  const { nc, xc, ns, xs, span, excess } = recent;
  for (const value of [nc, xc, ns, xs, span, excess]) to.double(value);
  writeOptional(to, recent.at);
}

function readRest(from: ByteReader): Omit<EvidenceState, 'version' | 'at' | 'checks'> {
  return {
    alphaShare: from.count(),
    interval: from.count(),
    pollsInForce: from.count(),
    agreeing: from.count(),
    startedAt: readMoment(from),
    inForceSince: readMoment(from),
    step: readOptional(from),
    weight: readWeight(from),
    next: readWeight(from),
    rejected: readRejection(from),
    limit: {
      wealth: readWealth(from, true),
      polls: from.count(),
      agreeing: from.count(),
      window: readOptional(from),
    },
    split: { less: from.double(), more: from.double() },
    recent: {
      nc: from.double(),
      xc: from.double(),
      ns: from.double(),
      xs: from.double(),
      span: from.double(),
      excess: from.double(),
      at: readMoment(from),
    },
  };
}

const packCheck = (check: CheckEvidence): string =>
  packed((to) => {
    const single = check.components.every(
      ({ worse, prior, usual }) => worse.logs.every(isSingle) && isSingle(prior ?? usual),
    );
    to.count(check.components.length);
    to.count(single ? 1 : 0);
    to.count(check.polls);
    to.count(check.dispersionKnown ? 1 : 0);
    to.double(check.dispersion);
    to.double(check.surprise);
    for (const value of [check.step, check.window, check.at, check.countedAt]) {
      writeOptional(to, value);
    }
    const [first] = check.components;
    check.components.forEach((component, i) => {
      writeComponent(to, component, i === 0 ? undefined : first, single);
    });
  });

const unpackCheck = (text: string): CheckEvidence =>
  unpacked(text, (from) => {
    const length = from.count();
    const single = from.count() === 1;
    const head = {
      polls: from.count(),
      dispersionKnown: from.count() === 1,
      dispersion: from.double(),
      surprise: from.double(),
      step: readOptional(from),
      window: readOptional(from),
      at: readMoment(from),
      countedAt: readMoment(from),
    };
    const components: ComponentEvidence[] = [];
    for (let i = 0; i < length; i += 1) {
      components.push(readComponent(from, components[0], single));
    }
    return { ...head, components };
  });

/** What all bounds of a histogram have in common is written with the first of them only. */
function writeComponent(
  to: ByteWriter,
  component: ComponentEvidence,
  first: ComponentEvidence | undefined,
  single: boolean,
): void {
  const { worse, better, step, total, prior, usual } = component;
  writeLogs(to, worse, single);
  for (const log of better) to.single(log);
  const common = commonOf(component);
  const alike = first !== undefined && commonOf(first).every((value, i) => value === common[i]);
  if (first !== undefined) to.count(alike ? 1 : 0);
  if (!alike) for (const value of common) to.count(value);
  for (const value of [step.xc, step.xs, total.xc, total.xs]) to.count(value);
  to.count(prior === null ? 0 : 1);
  if (single) to.single(prior ?? usual);
  else to.double(prior ?? usual);
}

function readComponent(
  from: ByteReader,
  first: ComponentEvidence | undefined,
  single: boolean,
): ComponentEvidence {
  const logs = readLogs(from, single);
  const better = times(betterOdds.length, () => from.single());
  const alike = first !== undefined && from.count() === 1;
  const common = alike ? commonOf(first) : times(5, () => from.count());
  const [unspent = 0, nc = 0, ns = 0, allNc = 0, allNs = 0] = common;
  const [xc = 0, xs = 0, allXc = 0, allXs = 0] = times(4, () => from.count());
  return {
    worse: { ...logs, unspent },
    better,
    step: { nc, xc, ns, xs },
    total: { nc: allNc, xc: allXc, ns: allNs, xs: allXs },
    ...readAnchor(from, single),
  };
}

function readAnchor(from: ByteReader, single: boolean): Pick<ComponentEvidence, 'prior' | 'usual'> {
  const known = from.count() === 1;
  const value = single ? from.single() : from.double();
  return known ? { prior: value, usual: 0 } : { prior: null, usual: value };
}

const commonOf = ({ worse, step, total }: ComponentEvidence): readonly number[] => [
  worse.unspent,
  step.nc,
  step.ns,
  total.nc,
  total.ns,
];

/** Gains are whole numbers of 1/1024 nat from 0 to 31 (`wealth.ts`). */
const gainUnit = 1024;

function writeLogs(to: ByteWriter, { logs, gained }: Wealth, single: boolean): void {
  for (const log of logs) {
    if (single) to.single(log);
    else to.double(log);
  }
  const none = gained.every((gain) => gain === 0);
  to.count(none ? 0 : 1);
  if (!none) for (const gain of gained) to.short(gain * gainUnit);
}

function readLogs(from: ByteReader, single: boolean): Pick<Wealth, 'logs' | 'gained'> {
  const logs = times(worseTilts.length, () => (single ? from.single() : from.double()));
  const none = from.count() === 0;
  const gained = times(worseTilts.length, () => (none ? 0 : from.short() / gainUnit));
  return { logs, gained };
}

function writeWealth(to: ByteWriter, wealth: Wealth, single: boolean): void {
  writeLogs(to, wealth, single);
  to.double(wealth.unspent);
}

const readWealth = (from: ByteReader, single: boolean): Wealth => ({
  ...readLogs(from, single),
  unspent: from.double(),
});

function writeOptional(to: ByteWriter, value: number | null): void {
  to.count(value === null ? 0 : 1);
  if (value !== null) to.count(value);
}

const readOptional = (from: ByteReader): number | null =>
  from.count() === 1 ? from.count() : null;

function readMoment(from: ByteReader) {
  const value = readOptional(from);
  return value === null ? null : instant(value);
}

function readWeight(from: ByteReader) {
  const value = readOptional(from);
  return value === null ? null : percent(value);
}

function writeText(to: ByteWriter, text: string): void {
  to.count(text.length);
  for (let i = 0; i < text.length; i += 1) to.count(text.charCodeAt(i));
}

function readRejection(from: ByteReader): Rejection | null {
  const codes = times(from.count(), () => from.count());
  return codes.length === 0 ? null : (JSON.parse(String.fromCharCode(...codes)) as Rejection);
}

const isSingle = (value: number): boolean => Math.fround(value) === value;

/** By a loop: `Array.from` with a length alone costs several times as much. */
function times<T>(length: number, make: () => T): readonly T[] {
  const made: T[] = [];
  for (let i = 0; i < length; i += 1) made.push(make());
  return made;
}

function packed(write: (to: ByteWriter) => void): string {
  const to = byteWriter();
  write(to);
  return to.toBase64();
}

function unpacked<T>(text: string, read: (from: ByteReader) => T): T {
  const from = byteReader(text);
  const value = read(from);
  from.end();
  return value;
}
