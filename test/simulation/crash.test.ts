import { describe, expect, test } from 'vitest';
import { seconds } from '../../src/lib/units.ts';
import { type Life, type RouteChange, World, type WorldOptions } from './world.ts';

// Goal: dying anywhere may delay a rollout, never change how it ends, lose a request, or expose a
// canary that was
// rejected. Every write of a whole promotion and of a whole rollback is a place to die, before and
// after it commits.

const ladder = { quick: true, annotations: { 'haldane.dev/steps': '5,50' } };
const stories: Record<'promotion' | 'rollback', WorldOptions> = {
  promotion: { ...ladder, rps: 1000 },
  rollback: { ...ladder, rps: 200, errorRate: (version) => (version === 'v2' ? 1 : 0) },
};
type Story = keyof typeof stories;

interface Run {
  readonly end: object;
  readonly lost: number;
  readonly history: readonly RouteChange[];
  readonly notices: readonly string[];
  readonly writes: number;
}

async function run(
  story: Story,
  kill?: { readonly write: number; readonly moment: 'before' | 'after' },
): Promise<Run> {
  const world = new World(stories[story]);
  await world.clock.advance(seconds(3));
  world.traffic.start();
  let life: Life = world.start(kill);
  await world.clock.advance(seconds(8));
  await world.release('v2');
  if (kill !== undefined) {
    await world.clock.runUntil(() => !life.isAlive(), seconds(120));
    await world.clock.advance(seconds(3));
    life = world.start();
  }
  if (kill === undefined) await world.begin();
  await world.settle();
  const { lost } = world.traffic;
  const result = {
    end: world.endState(),
    lost,
    history: world.history,
    notices: world.notices.map(({ kind }) => kind),
    writes: life.writes(),
  };
  life.kill();
  world.stop();
  return result;
}

/** Weights rise one step at a time, and never after a rejected mark. */
function expectLadder(history: readonly RouteChange[]): void {
  const steps = [0, 5, 50, 100];
  let rejected = false;
  let last = 0;
  for (const { weight, mark } of history) {
    rejected ||= mark === 'rejected';
    if (weight > last) {
      expect(rejected, `a raise to ${weight} after the rejection`).toBe(false);
      expect(steps.indexOf(weight)).toBe(steps.indexOf(last) + 1);
    }
    last = weight;
  }
}

describe.each(['promotion', 'rollback'] as const)('a %s', (story) => {
  test('ends the same, whichever write its controller dies at', async () => {
    const calm = await run(story);
    expect(calm.lost).toBe(0);
    expect(calm.notices).toEqual([story]);
    expectLadder(calm.history);
    let twice = 0;
    for (let write = 1; write <= calm.writes; write += 1) {
      for (const moment of ['before', 'after'] as const) {
        const story_ = `${story}, dead ${moment} write ${write} of ${calm.writes}`;
        const crashed = await run(story, { write, moment });
        expect(crashed.end, story_).toEqual(calm.end);
        expect(crashed.lost, story_).toBe(0);
        // Dead between the delivery and its record: told twice rather than never.
        expect([[story], [story, story]], story_).toContainEqual(crashed.notices);
        twice += crashed.notices.length - 1;
        expectLadder(crashed.history);
      }
    }
    expect(twice).toBeLessThanOrEqual(4);
    console.log(`FIGURE ${story}: ${calm.writes} writes, ${calm.writes * 2} crashes`);
  }, 300_000);
});
