/**
 * A TypeScript file as the tidy rules see it. All texts have the length and the lines of the
 * original.
 */
export interface SourceText {
  readonly path: string;
  readonly original: string;
  /** Without comments and without what stands in strings, templates and regular expressions. */
  readonly code: string;
  /** Only what stands in comments. */
  readonly comments: string;
}

/** Words after which a slash begins a regular expression, not a division. */
const beforeRegex =
  /(?:^|[\s(])(?:return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield)$/;

const blank = (text: string): string => text.replaceAll(/[^\n]/g, ' ');

/**
 * Splits a file into code and comments with a scanner that knows strings, templates, comments and
 * regular expressions. It needs no parser: only that quotes and brackets of code balance.
 */
export function sourceText(path: string, original: string): SourceText {
  const code: string[] = [];
  const comments: string[] = [];
  /**
   * Depths of braces at which a template's `${` began: a closing brace there goes on with the
   * template.
   */
  const templates: number[] = [];
  let depth = 0;
  let at = 0;

  const take = (length: number, kind: 'code' | 'comment' | 'literal'): void => {
    const part = original.slice(at, at + length);
    code.push(kind === 'code' ? part : blank(part));
    comments.push(kind === 'comment' ? part : blank(part));
    at += length;
  };
  const takeTemplate = (): void => {
    const rest = /^(?:[^\\`$]|\\[^]|\$(?!\{))*/.exec(original.slice(at))?.[0] ?? '';
    take(rest.length, 'literal');
    if (original.startsWith('${', at)) {
      templates.push(depth);
      depth += 1;
      take(2, 'code');
    } else {
      take(1, 'code');
    }
  };

  while (at < original.length) {
    const here = original[at] ?? '';
    const literal = literalAt(original, at, code);
    if (literal !== undefined) {
      take(literal.open, 'code');
      take(literal.length, literal.kind);
      take(literal.close, 'code');
    } else if (here === '`') {
      take(1, 'code');
      takeTemplate();
    } else if (here === '}' && templates.at(-1) === depth - 1) {
      templates.pop();
      depth -= 1;
      take(1, 'code');
      takeTemplate();
    } else {
      if (here === '{') depth += 1;
      if (here === '}') depth -= 1;
      take(1, 'code');
    }
  }
  return { path, original, code: code.join(''), comments: comments.join('') };
}

interface Literal {
  readonly kind: 'comment' | 'literal';
  /** Characters of the quotes that stay in the code, before and after. */
  readonly open: number;
  readonly length: number;
  readonly close: number;
}

function literalAt(text: string, at: number, code: readonly string[]): Literal | undefined {
  const rest = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  const comment = rest(/\/\/[^\n]*|\/\*[^]*?\*\/|^#![^\n]*/y);
  if (comment !== undefined) return { kind: 'comment', open: 0, length: comment.length, close: 0 };
  const quoted = rest(/'(?:[^'\\\n]|\\[^])*'|"(?:[^"\\\n]|\\[^])*"/y);
  if (quoted !== undefined)
    return { kind: 'literal', open: 1, length: quoted.length - 2, close: 1 };
  if (text[at] === '/' && regexMayBegin(code)) {
    const regex = rest(/\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y);
    if (regex !== undefined) return { kind: 'literal', open: 0, length: regex.length, close: 0 };
  }
  return undefined;
}

function regexMayBegin(code: readonly string[]): boolean {
  const before = code.slice(-200).join('').trimEnd();
  return before === '' || /[(,=:[!&|?{};+\-*%<>~^]$/.test(before) || beforeRegex.test(before);
}

/** 1-based line of a position. */
export const lineOf = (text: string, position: number): number =>
  text.slice(0, position).split('\n').length;

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** `export … from` and `export *`. */
  readonly passedOn: boolean;
  /** `import type` and `export type`: gone at run time. */
  readonly typeOnly: boolean;
}

/**
 * Every module a file names: static, for side effects, dynamic, `typeof import()`, and passed on.
 */
export function importsOf(source: SourceText): readonly Import[] {
  const pattern =
    /\b(import|export)\b(\s+type\b)?([^;'"()]*?)\bfrom\s*(['"])|\bimport\s*\(?\s*(['"])/g;
  const found: Import[] = [];
  for (const match of source.code.matchAll(pattern)) {
    const begin = match.index + match[0].length;
    const end = source.code.indexOf(match[4] ?? match[5] ?? "'", begin);
    found.push({
      specifier: source.original.slice(begin, end),
      line: lineOf(source.code, match.index),
      passedOn: match[1] === 'export',
      typeOnly: match[2] !== undefined,
    });
  }
  return found;
}
