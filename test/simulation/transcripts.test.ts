import { join } from 'node:path';
import { expect, test } from 'vitest';
import { millis, seconds } from '../../src/lib/units.ts';
import type { KillAt } from './process.ts';
import { createTranscript } from './swarm/transcript.ts';
import { type Life, World, type WorldOptions } from './world.ts';

// Goal: a reviewer reads what happens in ten rollouts, write by write, and sees in a diff what a
// change of ours does to them. `npx vitest run test/simulation/transcripts -u` writes them anew.

interface Scene {
  readonly world: World;
  /** What somebody outside does, as a line of the transcript. */
  readonly does: (line: string) => void;
  readonly untilWeight: (weight: number) => Promise<void>;
}

interface Story {
  readonly file: string;
  readonly told: string;
  readonly options?: WorldOptions;
  readonly killAt?: KillAt;
  readonly play: (scene: Scene, life: Life) => Promise<void>;
}

const always = (bad: string) => (version: string) => (version === bad ? 1 : 0);
/** Changes in the middle of a story. */
const turning = { bad: 0 };

const untouched: Story['play'] = async ({ world }) => {
  await world.release('v2');
  await world.begin();
};

/** Somebody acts while the canary has half of the traffic. */
const atHalf =
  (line: string, act: (world: World) => Promise<void>): Story['play'] =>
  async ({ world, does, untilWeight }) => {
    await world.release('v2');
    await untilWeight(50);
    does(line);
    await act(world);
  };

const stories: readonly Story[] = [
  {
    file: 'promotion',
    told: 'A good release goes up two steps and is promoted: its own pods become the Deployment’s.',
    play: untouched,
  },
  {
    file: 'rollback',
    told: 'A release that fails every request: one write cuts it off, then it is cleared away.',
    options: { errorRate: always('v2') },
    play: untouched,
  },
  {
    file: 'flinch',
    told: 'A release turns half bad at 50 %: the weight drops at once, the verdict comes later.',
    options: { errorRate: (version) => (version === 'v2' ? turning.bad : 0) },
    play: async ({ world, does, untilWeight }) => {
      await world.release('v2');
      await untilWeight(50);
      await world.clock.advance(millis(2500));
      does('half of the canary’s requests fail from now on');
      turning.bad = 0.5;
    },
  },
  {
    file: 'prometheus-away',
    told: 'Prometheus is away for a minute: the canary waits at its weight and goes on by itself.',
    play: async ({ world, does, untilWeight }) => {
      await world.release('v2');
      await untilWeight(5);
      does('Prometheus goes away');
      world.traffic.outage = true;
      await world.clock.advance(seconds(60));
      does('Prometheus is back');
      world.traffic.outage = false;
    },
  },
  {
    file: 'superseded',
    told: 'A newer revision comes while the canary has half of the traffic.',
    play: atHalf('somebody sets the image to v3', async (world) => {
      await world.release('v3');
      await world.clock.advance(seconds(2));
    }),
  },
  {
    file: 'reverted',
    told: 'The user takes the release back: no blame, nothing left over.',
    play: atHalf('somebody sets the image back to v1', (world) => world.release('v1')),
  },
  {
    file: 'opted-out',
    told: 'The user removes the annotation in the middle: what never passed does not roll.',
    play: atHalf('somebody removes haldane.dev/enabled', (world) =>
      world.patch({ metadata: { annotations: { 'haldane.dev/enabled': null } } }),
    ),
  },
  {
    file: 'killed',
    told: 'The controller dies as its cut commits: the next finds on the route what was decided.',
    options: { errorRate: always('v2') },
    killAt: { write: 11, moment: 'after' },
    play: async ({ world, does }, life) => {
      await world.release('v2');
      await world.clock.runUntil(() => !life.isAlive(), seconds(120));
      does('the controller is killed');
      await world.clock.advance(seconds(10));
      does('a controller starts');
      world.start();
    },
  },
  {
    file: 'at-rest',
    told: 'Without our admission policy the Deployment is kept paused between rollouts.',
    options: { policy: false },
    play: untouched,
  },
  {
    file: 'deleted',
    told: 'The Deployment is deleted while no controller runs: the next one gives the route back.',
    play: async ({ world, does, untilWeight }, life) => {
      await world.release('v2');
      await untilWeight(50);
      life.kill();
      does('the controller is killed');
      does('somebody deletes the Deployment');
      await world.deleteDeployment();
      await world.clock.advance(seconds(5));
      does('a controller starts');
      world.start();
      await world.clock.advance(seconds(1));
    },
  },
];

test.each(stories)('$file', async (story) => {
  turning.bad = 0;
  const lines = [story.told, '', ...(await play(story)), ''];
  const file = join(import.meta.dirname, 'transcripts', `${story.file}.txt`);
  await expect(lines.join('\n')).toMatchFileSnapshot(file);
});

async function play({ options, killAt, play: act }: Story): Promise<readonly string[]> {
  const annotations = { 'haldane.dev/steps': '5,50' };
  const told = (line: string) => transcript.tell(line);
  let last = '';
  const world: World = new World({
    quick: true,
    rps: 500,
    annotations,
    ...options,
    onNotice: ({ kind, because }) => told(`NOTICE ${kind}: ${because}`),
    onLogLine: ({ rule, because, action }) => {
      if (rule === undefined) return;
      const line = `[${rule}] ${because}`;
      if (line !== last) told(line);
      last = line;
      if (action !== undefined) told(`  ${action}`);
    },
  });
  const transcript = createTranscript(world);
  await world.clock.advance(seconds(3));
  world.traffic.start();
  const life = world.start(killAt);
  await world.clock.advance(seconds(8));
  transcript.begin();
  const begunAt = transcript.lines.length;
  told('-- somebody sets the image to v2');
  await act(
    {
      world,
      does: (line) => told(`-- ${line}`),
      untilWeight: (weight) => world.clock.runUntil(() => world.weight === weight, seconds(300)),
    },
    life,
  );
  await world.settle();
  world.stop();
  return transcript.lines.slice(begunAt);
}
