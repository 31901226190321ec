import { describe, expect, test } from 'vitest';
import type { LadderChoice } from '../../../src/analysis/ladder.ts';
import { percent } from '../../../src/lib/units.ts';
import { firstState } from '../../../src/rollout/begin.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import { noticesFor } from '../../../src/rollout/notices.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import type { RolloutState } from '../../../src/rollout/state.ts';
import { decodeState, encodeState } from '../../../src/spec/state-codec.ts';
import { aRoute, aSnapshot, aSpec, aState, at, fail, uid } from '../../builders/snapshot.ts';

const choice: LadderChoice = {
  ladder: {
    by: 'traffic',
    requestsPerSecond: 4,
    firstStepSeconds: 300,
    onePercentSeconds: 3000,
  },
  steps: [10, 25, 50].map(percent),
};
const zero = percent(0);
const step = {
  index: -1,
  fromIndex: -1,
  from: zero,
  to: zero,
  raisedAt: at(-10),
  inForceAt: null,
};

/** The canary serves, and no weight has been given yet. */
function before(change: Partial<Snapshot> = {}): Snapshot {
  const { record: _none, canaryService: _neither, ...route } = aRoute({ weight: zero });
  return aSnapshot({
    route: { ...route, record: undefined, canaryService: undefined },
    state: aState({ step, ladder: null }),
    ...change,
  });
}
const next = (s: Snapshot) => nextWrite(s, decide(s));

describe('the first weight waits for the steps', () => {
  test('until the traffic is known', () => {
    expect(next(before())).toMatchObject({ kind: 'wait', condition: 'steps are chosen' });
  });

  test('then the choice is recorded, and nothing else', () => {
    const write = next(before({ ladder: choice }));
    expect(write).toMatchObject({
      kind: 'write',
      action: {
        kind: 'record',
        state: { ladder: choice.ladder, spec: aSpec({ steps: choice.steps }), step },
      },
    });
  });

  test.each([undefined, choice.ladder])('and is not made again (%j)', (ladder) => {
    const state = aState({ step, ...(ladder === undefined ? {} : { ladder }) });
    expect(next(before({ state, ladder: choice }))).toMatchObject({
      action: { kind: 'attach-route' },
    });
  });

  test('a rollout that carries weight is left as it is', () => {
    const s = aSnapshot({ state: aState({ ladder: null }), ladder: choice });
    expect(next(s)).not.toMatchObject({ condition: 'steps are chosen' });
  });
});

test.each([
  ['traffic', null],
  [
    'annotation',
    { by: 'annotation', requestsPerSecond: null, firstStepSeconds: null, onePercentSeconds: null },
  ],
] as const)('a rollout whose steps come by %s begins with %j', (stepsBy, ladder) => {
  expect(firstState(aSnapshot({ stepsBy })).ladder).toEqual(ladder);
});

describe('the start is told', () => {
  const first = { ...step, index: 0, to: percent(10), inForceAt: at(-5) };
  const spec = aSpec({ steps: choice.steps });
  const { ladder } = choice;
  const begun = (state: Partial<RolloutState> = {}, change: Partial<Snapshot> = {}) =>
    aSnapshot({
      route: aRoute({ weight: percent(10) }),
      state: aState({ step: first, spec, ladder, ...state }),
      ...change,
    });
  const told = (s: Snapshot) => noticesFor(s, decide(s), 0);

  test.each([
    [{}, 'stable gets 4.0 requests/s: steps 10, 25, 50, 100; 10 % takes about 5 min; 1 % would'],
    [
      {
        ladder: { ...ladder, by: 'annotation', firstStepSeconds: 3000 },
        spec: aSpec({ steps: [1, 50].map(percent) }),
      },
      'requests/s: steps 1, 50, 100; 1 % takes about 50 min',
    ],
    [{ ladder: undefined }, 'steps 10, 25, 50, 100'],
  ] as [Partial<RolloutState>, string][])('with its steps and why: %#', (state, words) => {
    const [notice, ...more] = told(begun(state));
    expect(notice).toMatchObject({ kind: 'started', because: expect.stringContaining(words) });
    expect(more).toEqual([]);
  });

  test('once the first weight is in force, and not at a later one', () => {
    expect(told(begun({ step: { ...first, inForceAt: null } }))).toEqual([]);
    expect(told(begun({ step: { ...first, index: 1, to: percent(25) } }))).toEqual([]);
  });

  test('once, and without a write of its own', () => {
    const s = begun();
    const [notice] = told(s);
    const id = notice?.id ?? '';
    expect(told({ ...s, settledNotices: new Set([id]) })).toEqual([]);
    const delivered = { ...s, state: aState({ step: first, spec, ladder, delivered: [id] }) };
    expect(told(delivered)).toEqual([]);
    expect(next(delivered)).toEqual(next(s));
    const other = { ...s, state: aState({ step: first, spec, ladder, delivered: ['other'] }) };
    expect(next(other)).toMatchObject({ condition: 'delivery is recorded' });
  });

  test('and not of a rollout that goes back already', () => {
    expect(told(begun({}, { verdict: fail }))).toEqual([]);
  });
});

test.each([undefined, null, choice.ladder])('the record keeps %j', (ladder) => {
  const state = aState({ step, ...(ladder === undefined ? {} : { ladder }) });
  expect(decodeState(encodeState(state), uid)).toEqual(state);
});
