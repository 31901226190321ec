import { expect, test } from 'vitest';
import { liveView } from '../../../src/cli/live-view.ts';
import { cutAt, painter, printable, tableText, widthOf } from '../../../src/cli/paint.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';

const red = painter(true)('red', 'red');

test('colors take no columns', () => {
  expect(red).not.toBe('red');
  expect(widthOf(`${red} ▰▱`)).toBe(6);
});

test.each([
  ['short', 10, 'short'],
  ['exactly', 7, 'exactly'],
  ['too long', 4, 'too…'],
])('%s cut at %d', (text, columns, cut) => {
  expect(cutAt(text, columns)).toBe(cut);
});

test('a cut line keeps its colors, and ends them', () => {
  const cut = cutAt(`${red}blue`, 4);
  expect(widthOf(cut)).toBe(4);
  expect(cut.endsWith('\u001B[39m…')).toBe(true);
});

test('columns of a table line up, whatever their colors', () => {
  const text = tableText(
    [
      ['A', 'B'],
      [red, 'x'],
      ['', 'y'],
    ],
    80,
  );
  expect(
    text.split('\n').map((line) => line.search(/[Bxy]$/) - (line.length - widthOf(line))),
  ).toEqual([5, 5, 5]);
});

test.each([
  ['plain', 'plain'],
  ['\u001B[31mred\u001B[0m', 'red'],
  ['a\u0007b\nc', 'a·b·c'],
  ['left\u202Eright', 'left·right'],
])('printable %j', (text, safe) => {
  expect(printable(text)).toBe(safe);
});

const stamp = (): string => 'at ';

const recorder = (live: boolean): { readonly terminal: Terminal; readonly written: string[] } => {
  const written: string[] = [];
  const write = (text: string): void => void written.push(text);
  const terminal = { out: write, err: write, raw: write, live, color: false, columns: 80, rows: 5 };
  return { terminal, written };
};

test('on a screen a picture is drawn over the one before, and equal ones not again', () => {
  const { terminal, written } = recorder(true);
  const view = liveView(terminal, stamp);
  view.show('a\nb', []);
  view.show('a\nb', []);
  view.show('c', []);
  view.end();
  expect(written).toEqual(['\u001B[?25l\u001B[0Ja\nb\n', '\u001B[2F\u001B[0Jc\n', '\u001B[?25h']);
});

test('a picture higher than the screen is cut, so that going back still works', () => {
  const { terminal, written } = recorder(true);
  liveView(terminal, stamp).show('1\n2\n3\n4\n5\n6', []);
  expect(written[0]).toBe('\u001B[?25l\u001B[0J1\n2\n3\n… and 3 more\n');
});

test('on a pipe each line is printed when it changes', () => {
  const { terminal, written } = recorder(false);
  const view = liveView(terminal, stamp);
  view.show('', ['a 1', 'b 1']);
  view.show('', ['a 2', 'b 1']);
  view.show('', ['a 2', 'b 1']);
  expect(written).toEqual(['at a 1', 'at b 1', 'at a 2']);
});
