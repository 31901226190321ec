// A release that turns bad in the middle of its rollout, as two files tell it.
import type { Cluster } from '../cluster.ts';
import type { Slack } from '../slack.ts';
import { failedOf, rounded, untilCleared } from './records.ts';
import { type BusyShop, endShop, figure, untilWeight, watchRoute } from './setup.ts';

/** What became of it; in seconds since the first request that failed, NaN where it never did. */
export interface Flinched {
  readonly loweredTo: number | undefined;
  readonly loweredSeconds: number;
  readonly cutSeconds: number;
  /** Requests to the release that failed. */
  readonly failed: number;
}

/**
 * Releases `image` to a shop whose first step is 25 %. At that weight half of its answers begin to
 * fail; ends when it is cleared away, and the shop with it. `title` names the figures.
 */
export async function failAtQuarter(
  { cluster, slack }: { readonly cluster: Cluster; readonly slack: Slack },
  busy: BusyShop,
  { image, title }: { readonly image: string; readonly title: string },
): Promise<Flinched> {
  const { shop, load } = busy;
  const route = watchRoute(cluster, shop);
  await shop.release(image);
  await untilWeight(shop, 25);
  await load.log.until('the weight in force', (log) => log.share('v2', 4000) > 0.2);
  const canary = (await shop.pods()).filter((pod) => pod.spec.containers[0]?.image === image);
  await shop.behave(canary, { 'error-rate': '0.5' });
  await slack.until(`${shop.namespace}/web`, 60_000);
  await untilCleared(cluster, shop);
  route.stop();
  await endShop(busy);
  const firstFailedAt = load.log.firstFailure()?.sentAt ?? Number.NaN;
  const after = route.seen.filter(({ at }) => at > firstFailedAt);
  const since = (at: number | undefined) => ((at ?? Number.NaN) - firstFailedAt) / 1000;
  const lowered = after.find(({ weight }) => weight > 0 && weight < 25);
  const cut = after.find(({ weight }) => weight === 0);
  const told: Flinched = {
    loweredTo: lowered?.weight,
    loweredSeconds: since(lowered?.at),
    cutSeconds: since(cut?.at),
    failed: failedOf(load.log, 'v2').length,
  };
  figure(
    title,
    `${told.loweredTo} % after ${rounded(told.loweredSeconds)} s, 0 % after ` +
      `${rounded(told.cutSeconds)} s, ${told.failed} failed requests`,
  );
  return told;
}
