import type { Problem } from '../rollout/rollout-spec.ts';

/** Longest piece of a foreign value that is ever repeated in a message, in characters. */
export const quotedLimit = 64;

/**
 * Builds a problem in the one form all of them have; leave `value` out where it must not be
 * repeated.
 */
export function problem(
  key: string,
  value: string | undefined,
  why: string,
  allowed: string,
): Problem {
  const subject = value === undefined ? key : `${key}=${quote(value)}`;
  return { key, message: `${subject}: ${why}; ${allowed}` };
}

/**
 * The value in double quotes, at most 64 of its characters, with everything that could disturb a
 * terminal, a log or a chat (controls, line separators, direction marks, lone surrogates) escaped.
 * Looks at no more than the characters it prints.
 */
export function quote(value: string): string {
  let text = '';
  let characters = 0;
  let units = 0;
  for (const character of value) {
    if (characters === quotedLimit) return `"${text}…"`;
    text += escaped(character);
    characters += 1;
    units += character.length;
    if (units > quotedLimit * 2) break;
  }
  return `"${text}"`;
}

function escaped(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  if (character === '"' || character === '\\') return `\\${character}`;
  return isDisturbing(point) ? `\\u{${point.toString(16)}}` : character;
}

const isDisturbing = (point: number): boolean =>
  point < 0x20 ||
  (point >= 0x7f && point <= 0x9f) ||
  point === 0xad ||
  point === 0x61c ||
  (point >= 0x200b && point <= 0x200f) ||
  (point >= 0x2028 && point <= 0x202e) ||
  (point >= 0x2060 && point <= 0x206f) ||
  (point >= 0xd800 && point <= 0xdfff) ||
  point === 0xfeff ||
  (point >= 0xfff9 && point <= 0xfffb);

/** `a, b, c` of the first few words, with the number of those left out. */
export function listed(words: readonly string[], most = 8): string {
  if (words.length === 0) return 'none';
  const shown = words.slice(0, most).join(', ');
  return words.length > most ? `${shown} and ${words.length - most} more` : shown;
}

/** The candidate nearest to `word`, when it is near enough to be what was meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const asked = word.slice(0, 40).toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(asked.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(asked, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `; did you mean "steps"?` or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const guess = nearest(word, candidates);
  return guess === undefined ? '' : `; did you mean "${guess}"?`;
}

/**
 * Insertions, deletions, substitutions and swaps of neighbours. Source: optimal string alignment.
 */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let least = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && swapped)
        least = Math.min(least, (beforeLast[column - 2] ?? 0) + 1);
      current.push(least);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
