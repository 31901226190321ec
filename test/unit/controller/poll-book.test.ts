import { describe, expect, test } from 'vitest';
import { advance } from '../../../src/analysis/advance.ts';
import type { Poll } from '../../../src/analysis/counts.ts';
import { beginEvidence } from '../../../src/analysis/evidence.ts';
import {
  type ExplainedPoll,
  explainPoll,
  type PollRecord,
  plainPoll,
} from '../../../src/analysis/explained.ts';
import { defaultPolicy, errorsCheck, restartsCheck } from '../../../src/analysis/policy.ts';
import { createPollBook, endedKept, pollsKept } from '../../../src/controller/poll-book.ts';
import { percent } from '../../../src/lib/units.ts';
import { at } from '../../builders/snapshot.ts';

const of = (startedAt: number) => ({ revision: 'abc', attempt: 1, startedAtMillis: at(startedAt) });

/** 95 stable requests and 5 canary requests a second, polled every 5 s at 5 %. */
const pollAt = (second: number, xc: number): Poll => ({
  since: at(second - 5),
  at: at(second),
  weight: percent(5),
  step: 0,
  next: percent(25),
  checks: { errors: [{ nc: 25, xc, ns: 475, xs: 1 }] },
});

function recordAll(bad: readonly number[], policy = defaultPolicy): readonly PollRecord[] {
  let state = beginEvidence(policy);
  return bad.map((xc, i) => {
    const poll = pollAt((i + 1) * 5, xc);
    state = advance(state, poll, policy);
    return explainPoll(poll, state, policy);
  });
}

const explainAll = (...told: Parameters<typeof recordAll>): readonly ExplainedPoll[] =>
  recordAll(...told).map(plainPoll);

describe('one poll, explained', () => {
  test('a healthy canary: interval around nothing, requests and time still needed', () => {
    const last = explainAll([0, 0, 0, 0]).at(-1);
    expect(last).toMatchObject({
      atMillis: at(20),
      weightPercent: 5,
      step: 1,
      verdict: 'inconclusive',
      evidenceNeeded: 100,
      blame: 'errors',
    });
    const [errors] = last?.checks ?? [];
    expect(errors?.canary).toEqual({ bad: 0, total: 100 });
    expect(errors?.stable).toEqual({ bad: 4, total: 1900 });
    expect(errors?.excess?.low).toBeLessThanOrEqual(0);
    expect(errors?.excess?.high).toBeGreaterThan(0.01);
    expect(last?.requestsNeeded).toBeGreaterThan(0);
    const seconds = (last?.requestsNeeded ?? 0) / 5;
    expect(last?.secondsToNextStep).toBeGreaterThanOrEqual(Math.floor(seconds));
  });

  test('the time to the next step is no less than what the step still lasts', () => {
    const patient = { ...defaultPolicy, minStep: 3_600_000 as typeof defaultPolicy.minStep };
    const [first] = explainAll([0], patient);
    expect(first?.secondsToNextStep).toBeGreaterThan(3000);
  });

  test('a failing canary is blamed, and its interval lies above stable', () => {
    const last = explainAll([20, 20, 20]).at(-1);
    expect(last?.verdict).toBe('fail');
    expect(last?.evidence).toBeGreaterThanOrEqual(100);
    expect(last?.requestsNeeded).toBeNull();
    expect(last?.checks[0]?.excess?.low).toBeGreaterThan(0.4);
  });

  test('every number can be written as JSON, and checks without requests have no interval', () => {
    const policy = { ...defaultPolicy, checks: [errorsCheck, restartsCheck] };
    const all = explainAll(
      Array.from({ length: 150 }, () => 25),
      policy,
    );
    expect(JSON.parse(JSON.stringify(all))).toEqual(all);
    const restarts = all.at(-1)?.checks.find(({ check }) => check === 'restarts');
    expect(restarts).toMatchObject({ excess: null, promotion: null });
  });
});

test('an interval is computed when it is asked for, and once', () => {
  const [{ checks }] = recordAll([0]) as [PollRecord];
  const [errors] = checks;
  const excess = errors?.excess();
  expect(excess).toEqual({ low: expect.any(Number), high: expect.any(Number) });
  expect(errors?.excess()).toBe(excess);
});

describe('the book of polls', () => {
  const [poll] = recordAll([0]) as [PollRecord];

  test('keeps the last polls of a rollout, and says when it has ended', () => {
    const book = createPollBook();
    for (let i = 0; i < pollsKept + 5; i += 1) {
      book.add('shop/web', of(0), { ...poll, step: i });
    }
    book.end('shop/web');
    const read = book.read('shop/web');
    expect(read).toMatchObject({ ...of(0), ended: true });
    expect(read?.polls.map(({ step }) => step)).toEqual(
      Array.from({ length: pollsKept }, (_, i) => i + 5),
    );
  });

  test('another rollout of the same Deployment begins anew', () => {
    const book = createPollBook();
    book.add('shop/web', of(0), poll);
    book.end('shop/web');
    book.add('shop/web', of(60), poll);
    expect(book.read('shop/web')).toMatchObject({ ...of(60), ended: false });
    expect(book.read('shop/web')?.polls).toHaveLength(1);
  });

  test('of ended rollouts only the latest are kept, of others all', () => {
    const book = createPollBook();
    book.add('shop/running', of(0), poll);
    for (let i = 0; i <= endedKept; i += 1) book.add(`shop/web-${i}`, of(0), poll);
    // The first to begin is the last to end.
    for (let i = endedKept; i >= 0; i -= 1) book.end(`shop/web-${i}`);
    expect(book.read(`shop/web-${endedKept}`)).toBeUndefined();
    expect(book.read('shop/web-0')).toBeDefined();
    expect(book.read('shop/running')).toBeDefined();
    book.drop('shop/running');
    expect(book.read('shop/running')).toBeUndefined();
  });
});
