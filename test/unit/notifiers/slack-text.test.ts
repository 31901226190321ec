import fc from 'fast-check';
import { expect, test } from 'vitest';
import { code, link, plain } from '../../../src/notifiers/slack-text.ts';

test.each<[what: string, given: string, shown: string]>([
  ['a channel mention', '<!channel>', '&lt;!channel&gt;'],
  ['a here mention', 'x <!here|here> y', 'x &lt;!here|here&gt; y'],
  ['a user', '<@U024BE7LH>', '&lt;@U024BE7LH&gt;'],
  ['a disguised link', '<http://evil.example|ok>', '&lt;http://evil.example|ok&gt;'],
  ['an entity of theirs', '&lt;!channel&gt;', '&amp;lt;!channel&amp;gt;'],
  ['line ends', 'a\nb\r\nc\u2028d', 'a b c d'],
  ['terminal escapes', 'a\u001b[31mred\u009b0m', 'a [31mred 0m'],
  ['reordered text', 'exe\u202egpj.x', 'exe gpj.x'],
  ['a zero-width space', 'a\u200bb', 'a b'],
  ['half a character', 'a\ud800b', 'a b'],
  ['NUL', 'a\u0000b', 'a b'],
  ['nothing special', 'error-ratio 4.1 % → ✓', 'error-ratio 4.1 % → ✓'],
])('%s', (_what, given, shown) => {
  expect(plain(given, 200)).toBe(shown);
});

test('a code span cannot be left', () => {
  expect(code('a`<!here>`b', 100)).toBe('`aˋ&lt;!here&gt;ˋb`');
  expect(code('', 100)).toBe('` `');
});

test('a link cannot be left', () => {
  expect(link('https://x.example/a?b=1&c=2|<d> e', 'more')).toBe(
    '<https://x.example/a?b=1&amp;c=2%7C%3Cd%3E%20e|more>',
  );
});

test('whatever is given: no markup gets through, the limit holds, no entity is cut', () => {
  const risky = fc.string({
    unit: fc.oneof(
      fc.constantFrom('&', '<', '>', '`', '\n', '😀', '\u202e', '@'),
      fc.string({ unit: 'binary', maxLength: 2 }),
    ),
    maxLength: 60,
  });
  fc.assert(
    fc.property(risky, fc.integer({ min: 4, max: 80 }), (text, limit) => {
      for (const shown of [plain(text, limit), code(text, limit).slice(1, -1)]) {
        expect(shown.length).toBeLessThanOrEqual(limit);
        expect(shown.replace(/&(?:amp|lt|gt);/g, '')).not.toMatch(/[&<>\n\p{Cc}\p{Cs}]/u);
      }
      expect(code(text, limit).length).toBeLessThanOrEqual(limit + 1);
      expect(code(text, limit).slice(1, -1)).not.toContain('`');
    }),
    { numRuns: 2000 },
  );
});
