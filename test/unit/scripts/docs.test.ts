import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { describe, expect, test } from 'vitest';
import { ruleNames } from '../../../src/rollout/decide.ts';
import { readText, repositoryFiles, root } from '../../tidy/repository.ts';

const pages = repositoryFiles().filter((path) => path.endsWith('.md'));

describe.each(pages)('%s', (page) => {
  const text = readText(page);

  test('links to what is there', () => {
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '');
    const local = links.filter((link) => !/^[a-z]+:/.test(link));
    const missing = local.filter(
      (link) => !existsSync(join(root, normalize(join(dirname(page), link)))),
    );
    expect(missing).toEqual([]);
  });

  test('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
    const named = [...text.matchAll(/npm run (?:--silent )?([a-z:]+)/g)].map(
      (match) => match[1] ?? '',
    );
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

test('the runbook names rules that exist', () => {
  const text = readText('docs/runbook.md');
  const section = text.slice(text.indexOf('rolled back'), text.indexOf('## A rollout is held'));
  const rules = [...section.matchAll(/^\| `([a-zA-Z]+)` \|/gm)].map((match) => match[1]);
  expect(rules.length).toBeGreaterThan(3);
  expect(
    rules.filter((rule) => !(ruleNames as readonly (string | undefined)[]).includes(rule)),
  ).toEqual([]);
});

test('metrics that pages name are in the reference', () => {
  const reference = readText('docs/metrics.md');
  const named = pages.flatMap((page) => readText(page).match(/haldane_[a-z_]+[a-z]/g) ?? []);
  expect([...new Set(named)].filter((name) => !reference.includes(`\`${name}\``))).toEqual([]);
});

test('every reason for which a rollout is held is in the runbook', () => {
  const runbook = readText('docs/runbook.md');
  const verdict = readText('src/analysis/verdict.ts');
  const [, union = ''] = /InconclusiveReason =([^;]*);/.exec(verdict) ?? [];
  const reasons = [...union.matchAll(/'([a-z-]+)'/g)].map((match) => match[1] ?? '');
  expect(reasons.length).toBeGreaterThan(5);
  expect(reasons.filter((reason) => !runbook.includes(`\`${reason}\``))).toEqual([]);
});
