import { describe, expect, test } from 'vitest';
import { layerViolations } from '../../tidy/layers.ts';
import { lockedHosts, placesOf } from '../../tidy/repository.ts';
import { type Rule, rules } from '../../tidy/rules.ts';
import { sourceText } from '../../tidy/source-text.ts';

const breaks = (rule: Rule, path: string, text: string): number =>
  rule(sourceText(path, text)).length;

describe('layers', () => {
  test.each<[path: string, text: string, ok: boolean]>([
    ['src/lib/units.ts', "import './errors.ts';", true],
    ['src/lib/units.ts', "import { z } from 'zod';", false],
    ['src/lib/units.ts', "import 'node:fs';", false],
    ['src/analysis/judge.ts', "import { a } from '../lib/units.ts';", true],
    ['src/analysis/judge.ts', "import type { S } from '../rollout/state.ts';", false],
    ['src/rollout/decide.ts', "import { judge } from '../analysis/judge.ts';", true],
    ['src/rollout/decide.ts', "import { parse } from '../spec/annotations.ts';", false],
    ['src/spec/config.ts', "import { z } from 'zod';", true],
    ['src/spec/config.ts', "import { parse } from 'yaml';", false],
    ['src/spec/config-file.ts', "import { parse } from 'yaml';", true],
    ['src/kubernetes/client.ts', "import { Agent } from 'undici';", true],
    ['src/kubernetes/client.ts', "import { x } from '../telemetry/log.ts';", false],
    ['src/notifiers/slack.ts', "import { x } from '../controller/worker.ts';", false],
    ['src/controller/worker.ts', "import { x } from '../notifiers/outbox.ts';", true],
    ['src/controller/worker.ts', "import { x } from '../cli/status.ts';", false],
    ['src/controller/worker.ts', "import { x } from '../main.ts';", false],
    ['src/cli/controller.ts', "await import('../main.ts');", true],
    ['src/cli/status.ts', "import { x } from '../../test/builders/a.ts';", false],
    ['src/somewhere/new.ts', '', false],
    ['src/main.ts', "import { x } from './anything/at-all.ts';", true],
    ['test/unit/a.test.ts', "import { x } from '../../src/cli/status.ts';", true],
  ])('%s: %s', (path, text, ok) => {
    expect(layerViolations(sourceText(path, text)).length === 0).toBe(ok);
  });
});

describe('rules', () => {
  const long = 'x'.repeat(10).concat(' ').repeat(10);
  test.each<[rule: string, path: string, text: string, count: number]>([
    ['pure folders know no time, chance, process or promise', 'src/rollout/a.ts', 'Date.now()', 1],
    [
      'pure folders know no time, chance, process or promise',
      'src/rollout/a.ts',
      'async () => 1',
      1,
    ],
    ['pure folders know no time, chance, process or promise', 'src/spec/a.ts', 'Math.random()', 1],
    [
      'pure folders know no time, chance, process or promise',
      'src/spec/a.ts',
      "'process' // Date",
      0,
    ],
    [
      'pure folders know no time, chance, process or promise',
      'src/spec/a.ts',
      'a.process; {process: 1}',
      0,
    ],
    ['pure folders know no time, chance, process or promise', 'src/lib/clock.ts', 'Date.now()', 0],
    ['pure folders know no time, chance, process or promise', 'src/cli/a.ts', 'process.exit()', 0],
    ['time and chance are arguments', 'src/controller/a.ts', 'Date.now() + Math.random()', 2],
    ['time and chance are arguments', 'src/controller/a.ts', 'new Date(at)', 0],
    ['only main and cli end the process', 'src/http/a.ts', 'process.exit(1)', 1],
    ['only main and cli end the process', 'src/cli/main.ts', 'process.exit(1)', 0],
    ['no barrel files', 'src/lib/index.ts', '', 1],
    ['no barrel files', 'src/lib/a.ts', "export * from './b.ts';", 1],
    ['no default exports', 'src/lib/a.ts', 'export default 1', 1],
    ['no default exports', 'vitest.config.ts', 'export default 1', 0],
    ['no enums and namespaces', 'src/lib/a.ts', 'export const enum Colour {}', 1],
    ['no enums and namespaces', 'src/lib/a.ts', 'const namespace = 1', 0],
    ['imports name their file', 'src/lib/a.ts', "import './b';", 1],
    ['lines have at most 100 columns', 'src/lib/a.ts', long, 1],
    ['lines have at most 100 columns', 'src/lib/a.ts', `// ${'x'.repeat(110)}`, 0],
    ['files are short', 'src/lib/a.ts', '\n'.repeat(401), 1],
    ['files are short', 'src/lib/a.ts', '\n'.repeat(400), 0],
    ['files are short', 'test/unit/a.test.ts', '\n'.repeat(600), 0],
    ['files are short', 'test/unit/a.test.ts', '\n'.repeat(601), 1],
    ['nothing is left for later', 'src/lib/a.ts', '// TO'.concat('DO: later'), 1],
    ['nothing is left for later', 'src/lib/a.ts', "throw new Error('not implemented')", 0],
    ['nothing is left for later', 'src/lib/a.ts', '// not yet implemented', 1],
    ['every test runs', 'test/unit/a.test.ts', 'test.each([]).x; it.skip(f)', 1],
    ['every test runs', 'test/unit/a.test.ts', 'test.each.only(f)', 1],
    ['every test runs', 'test/unit/a.test.ts', "test('only this is skip')", 0],
    ['one word per thing', 'src/lib/a.ts', 'const eventHandler = 1;', 1],
    ['one word per thing', 'src/lib/a.ts', 'class RolloutManager {}', 1],
    ['one word per thing', 'src/lib/a.ts', 'interface A {\n  readonly primaryWeight: 1;\n}', 1],
    ['one word per thing', 'src/lib/string-utils.ts', '', 1],
    ['one word per thing', 'src/lib/a.ts', 'const fieldManager = managed;', 0],
  ])('%s: %s: %s', (rule, path, text, count) => {
    expect(breaks(rules[rule] as Rule, path, text)).toBe(count);
  });
});

// In parts, so that this file does not break the rule itself.
const [work, registry] = ['work', 'npmjs'];

test.each<[line: string, count: number]>([
  [`see /${work}/notes.md`, 1],
  [`https://example.com/${work}/x`, 0],
  ['/var/run/secrets', 0],
  [`registry.${registry}.org`, 1],
])('places in %s', (line, count) => {
  expect(placesOf('a.md', line)).toHaveLength(count);
});

test('a lockfile tells neither host nor loses its checksums', () => {
  const lock = (entry: object): string => JSON.stringify({ packages: { '': {}, a: entry } });
  expect(lockedHosts(lock({ integrity: 'sha512-x' }))).toEqual([]);
  expect(lockedHosts(lock({ integrity: 'sha512-x', resolved: 'https://host/a.tgz' }))).toHaveLength(
    1,
  );
  expect(lockedHosts(lock({}))).toHaveLength(1);
});
