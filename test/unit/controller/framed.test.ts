import { expect, test } from 'vitest';
import { type Carried, framed } from '../../../src/controller/evidence.ts';
import { millis, percent, seconds } from '../../../src/lib/units.ts';
import { aState, at } from '../../builders/snapshot.ts';

const state = aState({
  step: {
    index: 1,
    fromIndex: 0,
    from: percent(5),
    to: percent(50),
    raisedAt: at(100),
    inForceAt: at(101),
  },
});

const framedAt = (second: number, weight: number, least = weight, of = state) => {
  const carried: Carried = {
    state: of,
    routeWeight: percent(weight),
    leastWeight: percent(least),
    propagation: seconds(2),
    warmUp: millis(0),
    replicas: 3,
  };
  const counted = { since: at(second - 1), at: at(second), checks: {} };
  const { weight: share, step, settling } = framed(counted, { priors: undefined }, carried);
  return { share, step, settling };
};

test('a poll settles until gateways follow the raise, at the greater share', () => {
  expect(framedAt(100, 50)).toEqual({ share: 5, step: 0, settling: undefined });
  expect(framedAt(103, 50)).toEqual({ share: 50, step: 1, settling: 50 });
  expect(framedAt(104, 50)).toEqual({ share: 50, step: 1, settling: undefined });
});

// The test believes the share of the step: a good canary was rejected for bad requests that stable
// had alone, a minute after a hand had taken the canary off the route.
test.each([
  ['taken off the route', 0, 0, 50],
  ['lowered', 20, 20, 50],
  ['lowered in one rule', 50, 1, 50],
  ['raised', 80, 80, 80],
])('a poll settles while a hand has %s', (_what, weight, least, settling) => {
  expect(framedAt(160, weight, least)).toEqual({ share: 50, step: 1, settling });
});

test('a poll before a raise settles where a hand was quicker', () => {
  const raising = { ...state, step: { ...state.step, inForceAt: null } };
  expect(framedAt(160, 5, 5, raising)).toEqual({ share: 5, step: 0, settling: undefined });
  expect(framedAt(160, 0, 0, raising)).toEqual({ share: 5, step: 0, settling: 50 });
});
