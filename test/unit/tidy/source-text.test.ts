import fc from 'fast-check';
import { expect, test } from 'vitest';
import { importsOf, sourceText } from '../../tidy/source-text.ts';

const codeOf = (text: string): string => sourceText('src/a/b.ts', text).code;
const commentsOf = (text: string): string => sourceText('src/a/b.ts', text).comments.trim();

test.each<[what: string, text: string, code: string]>([
  ['a line comment', 'a; // Date', 'a;        '],
  ['a block comment', 'a /* Date\nx */ b', 'a        \n     b'],
  ['single quotes', "f('Date')", "f('    ')"],
  ['an escaped quote', "f('it\\'s Date') + 1", "f('          ') + 1"],
  ['double quotes', 'f("a\'b") + 1', 'f("   ") + 1'],
  ['a comment mark in a string', "f('http://x') + 1", "f('        ') + 1"],
  ['a template', 'f(`Date ${now} x`)', 'f(`     ${now}  `)'],
  ['a template in a template', 'f(`a${g(`b${c}d`)}e`)', 'f(` ${g(` ${c} `)} `)'],
  ['an object in a template', 'f(`a${g({ b: 1 })}e`) + 1', 'f(` ${g({ b: 1 })} `) + 1'],
  ['a lone dollar in a template', 'f(`$a $`) + 1', 'f(`    `) + 1'],
  ['a regular expression', "x = /it's/g; y", 'x =        ; y'],
  ['a slash in a class of characters', 'x = /[/"]/; y', 'x =       ; y'],
  ['a regular expression after return', 'return /"/.test(a)', 'return    .test(a)'],
  ['a division', "a / b / c; f('x')", "a / b / c; f(' ')"],
  ['a division after a call', "f(a) / 2; g('/')", "f(a) / 2; g(' ')"],
])('%s', (_what, text, code) => {
  expect(codeOf(text)).toBe(code);
});

test('comments are kept apart from code', () => {
  expect(commentsOf("a('no'); // why\n")).toBe('// why');
});

test('lengths and line breaks never change', () => {
  const piece = fc.constantFrom(...'`\'"/*\\${}()ab=,\n;'.split(''), '//', '/*', '*/', '${', '\\`');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join('');
      const { code, comments } = sourceText('a.ts', text);
      const breaks = (of: string): number[] => [...of.matchAll(/\n/g)].map(({ index }) => index);
      expect(code).toHaveLength(text.length);
      expect(comments).toHaveLength(text.length);
      expect(breaks(code)).toEqual(breaks(text));
    }),
    { numRuns: 500 },
  );
});

test('imports are found, with what they are', () => {
  const text = [
    "import { a } from './a.ts';",
    "import type { B } from '../b/b.ts';",
    "import './effect.ts';",
    "import c, {\n  type D,\n} from 'pack';",
    "export { e } from './e.ts';",
    "export * from './f.ts';",
    "const g = await import('./g.ts');",
    "type H = import('node:fs').Stats;",
    "// import { x } from './comment.ts';",
    'const text = "import { x } from \'./string.ts\'";',
    'export const i = 1;',
    "export type J = 'from';",
  ].join('\n');
  const found = importsOf(sourceText('src/a/b.ts', text));
  expect(found.map(({ specifier, line, passedOn }) => [specifier, line, passedOn])).toEqual([
    ['./a.ts', 1, false],
    ['../b/b.ts', 2, false],
    ['./effect.ts', 3, false],
    ['pack', 4, false],
    ['./e.ts', 7, true],
    ['./f.ts', 8, true],
    ['./g.ts', 9, false],
    ['node:fs', 10, false],
  ]);
  expect(found[1]?.typeOnly).toBe(true);
});
