import type { Random } from '../lib/random.ts';

// No vowels and no look-alikes: generated names spell no words.
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
const longestPrefix = 58;

const pick = (from: string, count: number, random: Random): string => {
  let text = '';
  for (let i = 0; i < count; i += 1) text += from[Math.floor(random() * from.length)];
  return text;
};

/** A name for `generateName`: the prefix and five characters. */
export const freshName = (prefix: string, random: Random): string =>
  `${prefix.slice(0, longestPrefix)}${pick(alphabet, 5, random)}`;

/** A random UUID, version 4. */
export function freshUid(random: Random): string {
  const hex = (count: number) => pick('0123456789abcdef', count, random);
  return `${hex(8)}-${hex(4)}-4${hex(3)}-${pick('89ab', 1, random)}${hex(3)}-${hex(12)}`;
}

/** A short hash of a text in the alphabet of generated names. Source: FNV-1a, 32 bits. */
export function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return String(hash).replaceAll(/\d/g, (digit) => alphabet[Number(digit)] as string);
}
