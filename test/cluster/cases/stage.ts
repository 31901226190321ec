// What most files about releases begin and end with.
import { afterAll, beforeAll } from 'vitest';
import { type Cluster, openCluster } from '../cluster.ts';
import type { Controller } from '../controller.ts';
import { type Slack, startSlack } from '../slack.ts';
import { type StartOptions, startHaldane } from './setup.ts';

/** Not there before the first case, or the hooks that come after. */
export interface Stage {
  readonly cluster: Cluster;
  /** Hears the notices of the controller. */
  readonly slack: Slack;
  readonly controller: Controller;
}

/** A cluster, its Slack and a controller, set up with `options`, for all cases of a file. */
export function setStage(
  options: Omit<StartOptions, 'slack'> = {},
  open: () => Promise<Cluster> = openCluster,
): Stage {
  const stage: { -readonly [Part in keyof Stage]?: Stage[Part] } = {};
  beforeAll(async () => {
    const cluster = await open();
    stage.cluster = cluster;
    const slack = await startSlack(cluster);
    stage.slack = slack;
    stage.controller = await startHaldane(cluster, { ...options, slack });
  });
  // What has begun ends, also where the rest has not.
  afterAll(async () => {
    await stage.controller?.stop();
    await stage.slack?.close();
    await stage.cluster?.close();
  });
  return stage as Stage;
}
