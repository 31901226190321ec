/** Longest label value that a pattern is tried on; longer ones count as not matching. */
export const matchedLengthLimit = 1024;

/** `text` as a pattern that matches exactly itself, in RE2 and in JavaScript alike. */
export const regexQuoted = (text: string): string => text.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');

/**
 * What keeps a pattern from meaning the same in RE2 (where Prometheus runs it) and in JavaScript
 * (where answers are split); `undefined` when nothing does. The common ground: literals, `.`,
 * classes of characters and ranges, `* + ? {n,m}`, alternatives, plain and `(?:` groups, `\d \w \s`
 * and escaped punctuation. Groups may not be repeated, so that matching takes polynomial time at
 * worst.
 */
export function regexFault(pattern: string): string | undefined {
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index];
    const next = pattern[index + 1] ?? '';
    if (character === '\\') {
      if (/[a-zA-Z0-9]/.test(next) && !'dDwWsS'.includes(next)) return `\\${next} is not supported`;
      index += 1;
    } else if (character === '(' && next === '?' && pattern[index + 2] !== ':') {
      return 'groups other than (…) and (?:…) are not supported';
    } else if (character === ')' && '*+{'.includes(next) && next !== '') {
      return 'a group may not be repeated';
    } else if ('*+?}'.includes(character ?? '') && (next === '+' || next === '*')) {
      return 'a repetition may not be repeated';
    } else if (character === '[' && (next === '[' || pattern.startsWith('[^[', index))) {
      return 'a class may not begin with [';
    }
  }
  try {
    anchored(pattern);
    return undefined;
  } catch {
    return 'is not a regular expression';
  }
}

/**
 * As Prometheus anchors the pattern of a label matcher: the whole value, `.` matching line ends
 * too.
 */
export const anchored = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`, 'su');
