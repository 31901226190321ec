/** A PromQL string literal in double quotes that stands for exactly `text`. */
export function quoted(text: string): string {
  let body = '';
  for (const character of text) {
    const simple = simpleEscapes.get(character);
    if (simple !== undefined) body += simple;
    else if (isUnprintable(character)) body += unicodeEscape(character);
    else body += character;
  }
  return `"${body}"`;
}

const simpleEscapes: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['"', '\\"'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

function isUnprintable(character: string): boolean {
  const point = character.codePointAt(0) ?? 0;
  return point < 0x20 || point === 0x7f || (point >= 0xd800 && point <= 0xdfff);
}

/**
 * A lone surrogate has no place in UTF-8: the replacement character matches nothing by accident.
 */
function unicodeEscape(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  const shown = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
  return `\\u${shown.toString(16).padStart(4, '0')}`;
}

/** The text that a PromQL string literal stands for; `undefined` when it is none. */
export function unquoted(literal: string): string | undefined {
  const mark = literal[0];
  if (literal.length < 2 || literal.at(-1) !== mark) return undefined;
  const body = literal.slice(1, -1);
  if (mark === '`') return body.includes('`') ? undefined : body;
  if (mark !== '"' && mark !== "'") return undefined;
  let text = '';
  for (let index = 0; index < body.length; index += 1) {
    const character = body[index] ?? '';
    if (character !== '\\') {
      text += character;
      continue;
    }
    const escape = readEscape(body, index + 1);
    if (escape === undefined) return undefined;
    text += escape.text;
    index += escape.length;
  }
  return text;
}

const letterEscapes: ReadonlyMap<string, string> = new Map([
  ['a', '\u0007'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
]);

const hexLengths: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

/** The escape whose letter stands at `index`, with how many characters follow the backslash. */
function readEscape(body: string, index: number): { text: string; length: number } | undefined {
  const letter = body[index] ?? '';
  const simple = letterEscapes.get(letter);
  if (simple !== undefined) return { text: simple, length: 1 };
  const digits = hexLengths.get(letter);
  if (digits === undefined) return undefined;
  const hex = body.slice(index + 1, index + 1 + digits);
  if (hex.length !== digits || !/^[0-9a-fA-F]+$/.test(hex)) return undefined;
  const point = Number.parseInt(hex, 16);
  if (point > 0x10ffff) return undefined;
  return { text: String.fromCodePoint(point), length: 1 + digits };
}
