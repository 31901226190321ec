import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advance } from '../../../src/analysis/advance.ts';
import type { Poll } from '../../../src/analysis/counts.ts';
import { beginEvidence } from '../../../src/analysis/evidence.ts';
import { defaultPolicy } from '../../../src/analysis/policy.ts';
import { totalWealth } from '../../../src/analysis/total.ts';
import { growWealth, lnWealth, openWealth } from '../../../src/analysis/wealth.ts';
import { percent } from '../../../src/lib/units.ts';
import golden from './fixtures/golden.json' with { type: 'json' };
import { counts, errorsPoll, run, weight } from './polls.ts';

describe('advance', () => {
  it.each(golden.rollback.map((sequence, i) => [i, sequence] as const))(
    'reproduces golden sequence %i from polls alone',
    (_, sequence) => {
      let state = beginEvidence(defaultPolicy);
      let step = 0;
      sequence.polls.forEach((poll, k) => {
        if (poll.newStep) step += 1;
        const prior = { badRates: [sequence.pHat], dispersion: sequence.phi };
        state = advance(
          state,
          errorsPoll(k, poll.counts, {
            seconds: 5,
            step,
            weight: percent(poll.weight * 100),
            priors: { errors: prior },
          }),
          defaultPolicy,
        );
        const lnE = Math.log(totalWealth(state, defaultPolicy).wealth);
        expect(lnE).toBeCloseTo(poll.lnE, 9);
      });
    },
  );

  it('ignores a poll that was counted, and refuses one that overlaps', () => {
    const first = errorsPoll(0, counts(1, 0, 99, 0));
    const state = run([first]);
    expect(advance(state, first, defaultPolicy)).toBe(state);
    const overlapping = { ...errorsPoll(1, counts(1, 0, 99, 0)), since: first.since };
    expect(() => advance(state, overlapping, defaultPolicy)).toThrow('overlap');
  });

  it('rejects total failure at 1 % and 100 rps after 7 polls and as many failed requests', () => {
    const polls = Array.from({ length: 30 }, (_, k) =>
      errorsPoll(k, counts(1, 1, 99, 0), k < 2 ? { settling: weight(1) } : {}),
    );
    const found = polls.findIndex((_, k) => run(polls.slice(0, k + 1)).rejected !== null);
    expect(found + 1).toBeLessThanOrEqual(7);
    expect(run(polls).rejected).toMatchObject({ check: 'errors', cause: 'worse' });
  });

  it('needs no second cap window once the dispersion is known', () => {
    const polls = Array.from({ length: 30 }, (_, k) =>
      errorsPoll(k, counts(1, 1, 99, 0), {
        priors: { errors: { badRates: [0.001], dispersion: 1, history: 3_600_000 } },
      }),
    );
    const found = polls.findIndex((_, k) => run(polls.slice(0, k + 1)).rejected !== null);
    expect(found + 1).toBeLessThanOrEqual(5);
  });

  it('a single poll can never reject, however bad', () => {
    const state = run([
      errorsPoll(0, counts(0, 0, 100, 0)),
      errorsPoll(1, counts(10_000, 10_000, 10_000, 0)),
    ]);
    expect(state.rejected).toBeNull();
  });

  it('losses in a cap window give no room for a larger gain of money that enters later', () => {
    const cap = Math.log(100);
    const poll = { hazard: 0.1, cap, newWindow: false, forget: false, single: false };
    let wealth = openWealth(1);
    for (let k = 0; k < 3; k += 1) wealth = growWealth(wealth, { ...poll, factors: [-5] });
    const before = lnWealth(wealth);
    wealth = growWealth(wealth, { ...poll, factors: [14] });
    expect(lnWealth(wealth) - before).toBeLessThan(cap);
  });

  it('counts settling polls against the canary only, at the nominal odds', () => {
    const state = run([errorsPoll(0, counts(1, 1, 99, 0), { settling: weight(1) })]);
    const [component] = state.checks.errors?.components ?? [];
    expect(component?.step).toEqual(counts(0, 0, 0, 0));
    expect(component?.total).toEqual(counts(1, 1, 99, 0));
    expect(totalWealth(state, defaultPolicy).wealth).toBeGreaterThan(8);
    expect(state.inForceSince).toBeNull();
  });

  it('counts what was served while a weight was lowered at the odds of the weight before', () => {
    const wealthAt = (settling: number) =>
      totalWealth(
        run([errorsPoll(0, counts(5, 3, 95, 0), { settling: weight(settling) })]),
        defaultPolicy,
      ).wealth;
    const raised = run([
      errorsPoll(0, counts(5, 3, 95, 0), { settling: weight(25), weight: weight(25) }),
    ]);
    expect(wealthAt(25)).toBe(totalWealth(raised, defaultPolicy).wealth);
    // What the gateway may still have sent as before is not held against the canary.
    expect(wealthAt(25)).toBeLessThan(wealthAt(1));
    expect(wealthAt(25)).toBeGreaterThan(1);
  });

  it('is the same whether it ran through or was stored as JSON after every poll', () => {
    fc.assert(
      fc.property(fc.array(arbitraryPoll, { maxLength: 30 }), (parts) => {
        const polls = toPolls(parts);
        const through = run(polls);
        let stored = beginEvidence(defaultPolicy);
        for (const poll of polls) {
          stored = advance(JSON.parse(JSON.stringify(stored)), poll, defaultPolicy);
        }
        expect(JSON.stringify(stored)).toBe(JSON.stringify(through));
      }),
      { numRuns: 60 },
    );
  });

  // A cap over several polls can let money that enters late gain more after an early loss.
  it('more bad canary requests never lessen the evidence, bad stable ones never add', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryPoll, { minLength: 1, maxLength: 10 }),
        fc.nat({ max: 9 }),
        (parts, index) => {
          const polls = toPolls(parts, 3_600_000);
          const wealth = (list: readonly Poll[]) => totalWealth(run(list), defaultPolicy).wealth;
          const changed = (which: 'xc' | 'xs') =>
            polls.map((poll, k) => {
              const one = poll.checks.errors as readonly [ReturnType<typeof counts>];
              return k === index % polls.length
                ? { ...poll, checks: { errors: [{ ...one[0], [which]: one[0][which] + 1 }] } }
                : poll;
            });
          const before = wealth(polls);
          expect(wealth(changed('xc'))).toBeGreaterThanOrEqual(before * (1 - 1e-9));
          expect(wealth(changed('xs'))).toBeLessThanOrEqual(before * (1 + 1e-9));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('stays finite at a thousand million requests', () => {
    const state = run([
      errorsPoll(0, counts(1e9, 1e6, 1e9, 1e6)),
      errorsPoll(1, counts(1e9, 1e9, 1e9, 0)),
    ]);
    expect(JSON.stringify(state)).not.toContain('null,null');
    expect(totalWealth(state, defaultPolicy).wealth).not.toBeNaN();
  });

  it('keeps the state of an error check below 2 KB', () => {
    const state = run(
      Array.from({ length: 100 }, (_, k) => errorsPoll(k, counts(k % 3, k % 2, 99, k % 5))),
    );
    expect(JSON.stringify(state).length).toBeLessThan(2048);
  });
});

const arbitraryPoll = fc.record({
  nc: fc.integer({ min: 1, max: 40 }),
  xc: fc.nat({ max: 3 }),
  ns: fc.integer({ min: 1, max: 400 }),
  xs: fc.nat({ max: 3 }),
  newStep: fc.boolean(),
});

function toPolls(
  parts: readonly { nc: number; xc: number; ns: number; xs: number; newStep: boolean }[],
  history = 0,
): Poll[] {
  let step = 0;
  return parts.map(({ newStep, nc, xc, ns, xs }, k) => {
    if (newStep && k > 0 && k % 4 === 0) step += 1;
    return errorsPoll(k, counts(nc + 4, xc, ns + 4, xs), {
      step,
      priors: { errors: { badRates: [0.01], dispersion: 1, history } },
    });
  });
}
