import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestVerbs } from '../../../src/rollout/rollout-spec.ts';
import { formatRequest, parseRequest } from '../../../src/spec/request.ts';

test('a request names verb, revision, step, id and who asks', () => {
  expect(parseRequest('promote revision=ab12cd34ef step=2 id=7f3k by=alice@example.com')).toEqual({
    ok: true,
    value: {
      verb: 'promote',
      revision: 'ab12cd34ef',
      step: 2,
      id: '7f3k',
      by: 'alice@example.com',
    },
  });
  expect(parseRequest('rollback id=1 revision=ab12c')).toEqual({
    ok: true,
    value: { verb: 'rollback', revision: 'ab12c', step: undefined, id: '1', by: undefined },
  });
});

test.each<[text: string, why: string]>([
  ['', 'empty'],
  ['promot revision=ab12c step=1 id=1', 'unknown verb "promot"; did you mean "promote"?'],
  ['Promote revision=ab12c step=1 id=1', 'unknown verb "Promote"'],
  ['promote', 'revision is missing'],
  ['promote revision=ab12c step=1', 'id is missing'],
  ['promote revision=ab12c id=1', 'promote needs the step'],
  ['skip-step revision=ab12c id=1', 'skip-step needs the step'],
  ['pause revision=ab12c id=1 id=2', 'id is given twice'],
  ['pause revision=AB12C id=1', 'revision="AB12C" is malformed'],
  ['pause revision=ab id=1', 'revision="ab" is malformed'],
  ['promote revision=ab12c step=-1 id=1', 'step="-1" is malformed'],
  ['promote revision=ab12c step=100 id=1', 'step="100" is malformed'],
  ['promote revision=ab12c step=1e1 id=1', 'step="1e1" is malformed'],
  ['promote revision=ab12c step= id=1', 'step="" is malformed'],
  ['pause  revision=ab12c id=1', '"" is no field=value'],
  ['pause revision=ab12c id=1 ', '"" is no field=value'],
  ['pause revision=ab12c id=1 by=<script>', 'by="<script>" is malformed'],
  ['pause revision=ab12c id=1 by=a\nb', 'malformed'],
  ['pause revision=ab12c id=1 force=true', 'unknown field "force"'],
  ['pause revision=ab12c id=1 a=1 b=1 c=1 d=1 e=1 f=1', 'unknown field "a"'],
  ['pause revision=ab12c id=a%20b', 'id="a%20b" is malformed'],
  ['x'.repeat(5000), '5000 characters, too long'],
])('%j is refused', (text, why) => {
  const result = parseRequest(text);
  expect(result).toMatchObject({ ok: false });
  expect(!result.ok && result.why).toContain(why);
});

const request = fc.record({
  verb: fc.constantFrom(...requestVerbs),
  revision: fc.stringMatching(/^[a-z0-9]{5,20}$/),
  step: fc.nat(50),
  id: fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
  by: fc.option(fc.stringMatching(/^[a-z.@:+-]{1,60}$/), { nil: undefined }),
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(request, (one) => {
      expect(parseRequest(formatRequest(one))).toEqual({ ok: true, value: one });
    }),
  );
});

test('100,000 strange inputs do not throw', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'promote',
      'pause',
      ' ',
      'revision=',
      'ab12c',
      'step=',
      '2',
      'id=',
      'x',
      'by=',
      '=',
    ),
    fc.string({ maxLength: 3 }),
  );
  const text = fc.array(piece, { maxLength: 14 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, (one) => {
      const result = parseRequest(one);
      if (result.ok) expect(parseRequest(formatRequest(result.value))).toEqual(result);
    }),
    { numRuns: 100_000 },
  );
}, 60_000);
