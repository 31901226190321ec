/** Requests and bad requests of one pod in one stretch of time. */
export interface PodCell {
  readonly requests: number;
  readonly bad: number;
}

/** Cells of one pod, aligned between pods; all of stable as one where pods have no label. */
export type PodHistory = readonly PodCell[];

/** Windows over which errors may come together, in milliseconds. */
const spans: readonly number[] = [15_000, 60_000, 300_000];

/** Strength of the belief that errors are independent, in degrees of freedom. */
const belief = 20;

/**
 * φ̂: by how much the errors of stable come in bursts or differ between pods, relative to
 * independent ones; at least 1. Rates common to all pods cancel, so an outage does not count.
 * A single history (one pod, or no pod label) is compared with its own mean instead: then outages
 * do count, which errs on the slow side.
 * @param resolution length of one cell in milliseconds; spans shorter than it are left out.
 */
export function dispersionOf(pods: readonly PodHistory[], resolution: number): number {
  let largest = 1;
  for (const span of spans) {
    const merge = Math.round(span / resolution);
    if (merge < 1) continue;
    const merged = pods.map((pod) => mergeCells(pod, merge));
    const { squares, freedom } =
      merged.length > 1 ? betweenPods(merged) : overTime(merged[0] ?? []);
    largest = Math.max(largest, (squares + belief) / (freedom + belief));
  }
  return largest;
}

interface Spread {
  readonly squares: number;
  readonly freedom: number;
}

function mergeCells(cells: PodHistory, count: number): PodHistory {
  const merged: PodCell[] = [];
  for (let from = 0; from < cells.length; from += count) {
    merged.push(sum(cells.slice(from, from + count)));
  }
  return merged;
}

function sum(cells: readonly PodCell[]): PodCell {
  let [requests, bad] = [0, 0];
  for (const cell of cells) {
    requests += cell.requests;
    bad += cell.bad;
  }
  return { requests, bad };
}

function betweenPods(pods: readonly PodHistory[]): Spread {
  let [squares, freedom] = [0, 0];
  const windows = Math.max(...pods.map((pod) => pod.length));
  for (let window = 0; window < windows; window += 1) {
    const cells = pods.flatMap((pod) => pod[window] ?? []).filter(({ requests }) => requests > 0);
    const spread = spreadOf(cells, sum(cells));
    squares += spread.squares;
    freedom += spread.freedom;
  }
  return { squares, freedom };
}

function overTime(cells: PodHistory): Spread {
  const served = cells.filter(({ requests }) => requests > 0);
  return spreadOf(served, sum(served));
}

/** Pearson's statistic of cells with one rate; none or only bad requests say nothing. */
function spreadOf(cells: readonly PodCell[], all: PodCell): Spread {
  const rate = all.requests > 0 ? all.bad / all.requests : 0;
  if (cells.length < 2 || rate <= 0 || rate >= 1) return { squares: 0, freedom: 0 };
  let squares = 0;
  for (const { requests, bad } of cells) {
    const expected = requests * rate;
    squares += (bad - expected) ** 2 / (expected * (1 - rate));
  }
  return { squares, freedom: cells.length - 1 };
}
