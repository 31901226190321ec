import { describe, expect, test } from 'vitest';
import { generatedDocs } from '../scripts/generated-docs.ts';
import { layerViolations } from './tidy/layers.ts';
import { lockedHosts, placesOf, readText, repositoryFiles } from './tidy/repository.ts';
import { rules } from './tidy/rules.ts';
import { sourceText } from './tidy/source-text.ts';

const expectNone = (violations: readonly string[]): void => {
  expect(violations, `\n${violations.join('\n')}\n`).toHaveLength(0);
};

const files = repositoryFiles();
const sources = files
  .filter((path) => /^(?:src|test|scripts|bench)\/.*\.tsx?$|^[^/]+\.ts$/.test(path))
  .map((path) => sourceText(path, readText(path)));
const texts = files.filter(
  (path) => !/\.(?:png|ico|woff2?|gz|sum)$/.test(path) && path !== 'package-lock.json',
);

test('there is something to look at', () => {
  expect(sources.length).toBeGreaterThan(20);
  expect(texts.length).toBeGreaterThan(sources.length);
});

describe('source files', () => {
  test.each(Object.entries(rules))('%s', (_name, rule) => {
    expectNone(sources.flatMap(rule));
  });

  test('imports follow the table of layers', () => {
    expectNone(sources.flatMap(layerViolations));
  });
});

describe('the repository', () => {
  test('names no machine and no registry', () => {
    expectNone(texts.flatMap((path) => placesOf(path, readText(path))));
  });

  test('the lockfile is whole and names no host', () => {
    expectNone(lockedHosts(readText('package-lock.json')));
  });

  test.each([...generatedDocs()])('%s is what npm run docs writes', (path, text) => {
    expect(readText(path)).toBe(text);
  });

  test('dependencies are pinned exactly', () => {
    const { dependencies, devDependencies } = JSON.parse(readText('package.json')) as {
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
    const all = Object.entries({ ...dependencies, ...devDependencies });
    expect(all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});
