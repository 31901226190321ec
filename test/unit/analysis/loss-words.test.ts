import { expect, test } from 'vitest';
import { lossWords } from '../../../src/analysis/loss-words.ts';

test.each([
  [1 / 2, 'evidence was lost once: a rollback needs 2 times as much as before'],
  [1 / 4, 'evidence was lost twice: a rollback needs 4 times as much as before'],
  [1 / 8, 'evidence was lost 3 times: a rollback needs 8 times as much as before'],
])('with %d of α left', (alphaShare, words) => {
  expect(lossWords(alphaShare)).toBe(words);
});
