import { expect, test } from 'vitest';
import { type Carried, isWarming } from '../../../src/controller/evidence.ts';
import { percent, seconds } from '../../../src/lib/units.ts';
import { aState, at } from '../../builders/snapshot.ts';

const carried = (from: number, to: number, replicas: number): Carried => ({
  state: aState({
    step: {
      index: 0,
      fromIndex: -1,
      from: percent(from),
      to: percent(to),
      raisedAt: at(100),
      inForceAt: at(101),
    },
  }),
  routeWeight: percent(to),
  leastWeight: percent(to),
  propagation: seconds(2),
  warmUp: seconds(30),
  replicas,
});

test.each([
  { name: 'the first pods are fresh', from: 0, to: 1, replicas: 3, moment: 101, warming: true },
  { name: 'until their warm-up is over', from: 0, to: 1, replicas: 3, moment: 130, warming: false },
  {
    name: 'before the raise nothing is new',
    from: 0,
    to: 1,
    replicas: 3,
    moment: 99,
    warming: false,
  },
  { name: 'a step on the same pods', from: 1, to: 25, replicas: 3, moment: 101, warming: false },
  {
    name: 'a step that needs more pods',
    from: 25,
    to: 50,
    replicas: 3,
    moment: 101,
    warming: true,
  },
  { name: 'a promotion', from: 50, to: 100, replicas: 10, moment: 101, warming: true },
  {
    name: 'one pod carries everything',
    from: 50,
    to: 100,
    replicas: 1,
    moment: 101,
    warming: false,
  },
])('$name', ({ from, to, replicas, moment, warming }) => {
  expect(isWarming(at(moment), carried(from, to, replicas))).toBe(warming);
});
