// What half an hour of stable's history is worth: errors are known to come alone, so that one
// scrape may count in full.
import { beforeAll, describe, expect, it } from 'vitest';
import { backfill } from '../history.ts';
import { failAtQuarter } from './flinch-story.ts';
import { rounded, unanswered, untilCleared, untilCut } from './records.ts';
import {
  type BusyShop,
  busyShop,
  endShop,
  figure,
  untilGatewayIsCalm,
  watchRoute,
} from './setup.ts';
import { setStage } from './stage.ts';

const bad = 'shop/web:v2';

const stage = setStage();
let errors: BusyShop;
let flinch: BusyShop;

beforeAll(async () => {
  errors = await busyShop(stage.cluster, 'known-errors');
  flinch = await busyShop(stage.cluster, 'known-flinch', {
    annotations: { 'haldane.dev/steps': '25,50' },
  });
  await backfill(stage.cluster, [
    { namespace: 'known-errors', rate: 100 },
    { namespace: 'known-flinch', rate: 100 },
  ]);
}, 300_000);

describe('stable has been known for half an hour', () => {
  it('a release that always fails is cut by its first scrapes', async () => {
    const { shop, load } = errors;
    const route = watchRoute(stage.cluster, shop);
    await untilGatewayIsCalm(stage.cluster);
    await shop.release(bad, { ERROR_RATE: '1' });
    const { seconds } = await untilCut(errors, 60_000);
    await untilCleared(stage.cluster, shop);
    route.stop();
    const { failed } = await endShop(errors);
    figure(
      '100 % errors at 1 %, known for 45 min',
      `weight 0 after ${rounded(seconds, 2)} s, ${failed.length} failed requests`,
    );
    expect(unanswered(load.log)).toEqual([]);
    expect(route.seen.map(({ weight }) => weight)).toEqual([0, 1, 0]);
    expect(seconds).toBeLessThanOrEqual(6);
    expect(failed.length).toBeLessThanOrEqual(6);
  });

  it('a release that begins to fail at 25 % is flinched from, then rolled back', async () => {
    await untilGatewayIsCalm(stage.cluster);
    const story = { image: bad, title: '50 % errors that begin at 25 %, known for 45 min' };
    const told = await failAtQuarter(stage, flinch, story);
    expect(unanswered(flinch.load.log)).toEqual([]);
    expect(told.cutSeconds).toBeLessThanOrEqual(12);
    // 12 a second until the scrape that tells: 17 in the mean by simulation, 9 to 25 by where
    // between two scrapes the failures begin.
    expect(told.failed).toBeLessThanOrEqual(25);
  });
});
