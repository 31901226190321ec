import { stripVTControlCharacters, styleText } from 'node:util';
import type { RolloutStatus } from './rollout-status.ts';

type Style = Parameters<typeof styleText>[0];

/** Puts color around a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

export const painter = (color: boolean): Paint =>
  color
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text;

/** The color that a phase has everywhere. */
export const phaseStyle: Readonly<Record<RolloutStatus['phase'], Style>> = {
  rest: 'dim',
  'not-opted-in': 'dim',
  preparing: 'cyan',
  progressing: 'cyan',
  promoting: 'green',
  holding: 'yellow',
  paused: 'yellow',
  'rolling-back': ['bold', 'red'],
  rejected: 'red',
  'opting-out': 'dim',
  invalid: 'red',
};

/** Columns that a text takes on the screen. */
export const widthOf = (text: string): number => Array.from(stripVTControlCharacters(text)).length;

/**
 * A text of the cluster, safe to print: whoever may write an annotation must not be able to move
 * the
 * cursor, change colors or reverse the direction of a line.
 */
export const printable = (text: string): string =>
  stripVTControlCharacters(text).replaceAll(/[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu, '·');

/** A table with columns as wide as they need to be; the last one is cut at `columns`. */
export function tableText(rows: readonly (readonly string[])[], columns: number): string {
  const widths = (rows[0] ?? []).map((_cell, i) =>
    Math.max(...rows.map((row) => widthOf(row[i] ?? ''))),
  );
  return rows
    .map((row) => {
      const padded = row.map((cell, i) =>
        i === row.length - 1 ? cell : cell + ' '.repeat((widths[i] ?? 0) - widthOf(cell) + 2),
      );
      return cutAt(padded.join('').trimEnd(), columns);
    })
    .join('\n');
}

/** Cuts a line at the edge of the screen; colors take no column and are all kept. */
export function cutAt(line: string, columns: number): string {
  if (widthOf(line) <= columns) return line;
  let width = 0;
  let kept = '';
  let inEscape = false;
  for (const character of line) {
    inEscape ||= character === '\u001B';
    if (inEscape || width < columns - 1) kept += character;
    if (!inEscape) width += 1;
    if (character === 'm') inEscape = false;
  }
  return `${kept}…`;
}
