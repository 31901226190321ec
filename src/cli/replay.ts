import { readFileSync } from 'node:fs';
import { defaultPolicy, lenientPolicy, strictPolicy } from '../analysis/policy.ts';
import { type ReplayResult, replayPolls } from '../analysis/replay.ts';
import { parseReplay } from '../analysis/replay-text.ts';
import { describeError } from '../lib/errors.ts';
import { type ExitCode, exitCodes, usageError } from './outcome.ts';
import { painter, tableText } from './paint.ts';
import type { Terminal } from './terminal.ts';

export interface ReplayFlags {
  readonly profile: string;
  readonly output?: 'json' | undefined;
}

const policies = new Map([
  ['default', defaultPolicy],
  ['strict', strictPolicy],
  ['lenient', lenientPolicy],
]);

/** `haldane replay FILE`: the judgement again, from recorded polls; perhaps with another policy. */
export function replayCommand(file: string, flags: ReplayFlags, terminal: Terminal): ExitCode {
  const policy = policies.get(flags.profile);
  if (policy === undefined) {
    throw usageError(`--profile ${flags.profile}: one of ${[...policies.keys()].join(', ')}`);
  }
  const input = parseReplay(readText(file));
  if ('problems' in input) {
    throw usageError(input.problems.map((problem) => `${file}: ${problem}`).join('\n'));
  }
  const result = replayPolls({ ...input, policy });
  const json = flags.output === 'json';
  terminal.out(json ? JSON.stringify(jsonOf(result), null, 2) : replayText(result, terminal));
  return exitCodes.ok;
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw usageError(`${file}: cannot be read: ${describeError(error)}`);
  }
}

const jsonOf = ({ verdict, polls, passes, firstDifference }: ReplayResult): object => ({
  polls: polls.map(({ at, weight, step, kappa, lnE, evidence }) => ({
    at,
    weight,
    step,
    kappa,
    lnE,
    evidence,
  })),
  passes,
  firstDifference: firstDifference ?? null,
  verdict: verdict.kind,
  because: verdict.because,
});

function replayText(result: ReplayResult, terminal: Terminal): string {
  const paint = painter(terminal.color);
  const [first] = result.polls;
  const head = ['T', 'WEIGHT', 'STEP', 'ODDS', 'LN E', 'EVIDENCE'].map((word) =>
    paint('dim', word),
  );
  const rows = result.polls.map(({ at, weight, step, kappa, lnE, evidence }) => [
    `${((at - (first?.at ?? at)) / 1000).toFixed(0)} s`,
    `${weight} %`,
    String(step),
    kappa.toPrecision(4),
    lnE.toFixed(4),
    evidence.toPrecision(4),
  ]);
  const style = { pass: 'green', fail: 'red', inconclusive: 'yellow' } as const;
  const { verdict, firstDifference } = result;
  const lines = [
    tableText([head, ...rows], Number.POSITIVE_INFINITY),
    '',
    `${paint(style[verdict.kind], verdict.kind)}: ${verdict.because}`,
  ];
  if (firstDifference !== undefined) {
    lines.push(`differs from what was recorded, first at poll ${firstDifference + 1}`);
  }
  return lines.join('\n');
}
