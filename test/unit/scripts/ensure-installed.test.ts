import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { whyStale } from '../../../scripts/ensure-installed.mjs';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'haldane-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

type Packages = Record<string, { version: string; optional?: boolean; link?: boolean }>;

const node = { version: '24.0.0' };

function lay(wanted: Packages, installed: Packages | undefined, binary = true): void {
  const lock = (packages: Packages): string => JSON.stringify({ packages });
  writeFileSync(join(folder, 'package-lock.json'), lock({ '': { version: '1.0.0' }, ...wanted }));
  if (installed === undefined) return;
  mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
  writeFileSync(join(folder, 'node_modules', '.package-lock.json'), lock(installed));
  if (binary) writeFileSync(join(folder, 'node_modules', '.bin', 'node'), '');
}

test.each<
  [what: string, wanted: Packages, installed: Packages | undefined, why: RegExp | undefined]
>([
  ['all is there', { node }, { node }, undefined],
  ['nothing is there', { node }, undefined, /^node_modules is missing/],
  ['one is missing', { node, a: { version: '1.0.0' } }, { node }, /^a is missing/],
  ['one is older', { node, a: { version: '2.0.0' } }, { node, a: { version: '1.0.0' } }, /^a is 1/],
  ['another platform', { node, a: { version: '2.0.0', optional: true } }, { node }, undefined],
  ['one too many', { node }, { node, a: { version: '1.0.0' } }, undefined],
])('%s', (_what, wanted, installed, why) => {
  lay(wanted, installed);
  const found = whyStale(folder);
  if (why === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(why);
});

test('install scripts did not run', () => {
  lay({ node }, { node }, false);
  expect(whyStale(folder)).toMatch(/\.bin\/node is missing/);
});

test('an install that was cut off is stale', () => {
  lay({ node }, undefined);
  mkdirSync(join(folder, 'node_modules'));
  expect(whyStale(folder)).toBe('node is missing');
});
