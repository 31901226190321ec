import { afterAll, describe, expect, test } from 'vitest';
import { bugs } from './bugs.ts';
import { caught, undisturbed } from './run.ts';
import { type SceneName, scenes } from './scenes.ts';

// Bugs that others have had, put in one by one: oracles that were not written for them must see
// them, and must see nothing where there is none.

describe('without a bug, nothing is seen', () => {
  test.each(Object.keys(scenes) as SceneName[])('%s', async (scene) => {
    expect((await undisturbed(scene)).violations).toEqual([]);
  });
});

describe('a bug is seen', () => {
  const table: string[] = [];
  test.each(bugs)('$name', async (bug) => {
    const found = await caught(bug);
    expect(found).not.toEqual([]);
    table.push(`${bug.name}: ${found[0]?.split(':')[0] ?? ''}`);
  });
  afterAll(() => {
    console.log(`FIGURE zoo: ${table.length} of ${bugs.length} caught\n${table.join('\n')}`);
  });
});

test('the zoo is large enough', () => {
  expect(bugs.length).toBeGreaterThanOrEqual(30);
});
