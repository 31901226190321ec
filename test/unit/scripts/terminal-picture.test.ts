import { expect, test } from 'vitest';
import { spansOf, terminalPicture, wrapped } from '../../../scripts/terminal-picture.ts';

const escape = String.fromCharCode(27);

test('color codes become styles', () => {
  const coded = 'a ~[1m~[31mred~[39m~[22m b ~[2mdim~[0m c';
  const line = coded.replaceAll('~', escape);
  expect(spansOf(line).map(({ text, style }) => [text, style])).toEqual([
    ['a ', {}],
    ['red', { bold: true, color: '#ff7b72' }],
    [' b ', {}],
    ['dim', { dim: true }],
    [' c', {}],
  ]);
});

test('long lines are broken between words, and no word is lost', () => {
  const words = Array.from({ length: 60 }, (_word, i) => `word${i}`);
  const rows = wrapped(words.join(' '));
  const texts = rows.map((row) => row.map(({ text }) => text).join(''));
  expect(texts.length).toBeGreaterThan(2);
  expect(Math.max(...texts.map((text) => text.trimEnd().length))).toBeLessThanOrEqual(104);
  expect(texts.join(' ').split(/\s+/).filter(Boolean)).toEqual(words);
});

test('what is special in XML is escaped', () => {
  const svg = terminalPicture('a & b', ['<script>']);
  expect(svg).toContain('a &amp; b');
  expect(svg).toContain('&lt;script&gt;');
  expect(svg).not.toContain('<script>');
});
