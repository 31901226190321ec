// Sends requests at a constant rate and tells its parent what became of each.
// usage: node main.ts SETTINGS   (JSON of LoadSettings; needs an IPC channel)
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { LoadEnd, LoadMessage, LoadSettings, RequestTuple } from './protocol.ts';

const settings = JSON.parse(process.argv[2] ?? '') as LoadSettings;
const pool = new Pool(`http://${settings.target}`, {
  connections: 512,
  pipelining: 1,
  // Shorter than any server's: no request meets a connection that is just being closed.
  keepAliveTimeout: 4_000,
  // Patience is measured below.
  headersTimeout: 0,
  bodyTimeout: 0,
});
const reportEvery = 100;

/**
 * Time, in milliseconds, in which this process got a processor: a generator that stood still cannot
 * tell an answer that never came from one that it had no time to read.
 */
const awake = { time: 0, seen: performance.now() };
const longestTick = 100;

let ended: RequestTuple[] = [];
/** Changed by answers and by the parent while the loop below waits. */
const state = { stopping: false };
/** Requests without an answer, the oldest first, with the awake time at which they have failed. */
const underWay = new Map<AbortController, number>();

process.on('message', () => {
  state.stopping = true;
});
// Without its parent nobody reads the answers.
process.on('disconnect', () => process.exit());

async function sendOne(): Promise<void> {
  const began = performance.now();
  const sentAt = performance.timeOrigin + began;
  const { host, path } = settings;
  const patience = new AbortController();
  underWay.set(patience, awake.time + settings.timeout);
  try {
    const { statusCode, headers, body } = await pool.request({
      method: 'GET',
      path,
      headers: { host },
      signal: patience.signal,
    });
    await body.dump();
    const latency = performance.now() - began;
    const [version, pod] = [String(headers['x-version'] ?? ''), String(headers['x-pod'] ?? '')];
    ended.push([sentAt, latency, statusCode, version, pod, '']);
  } catch (cause) {
    const error = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    ended.push([sentAt, performance.now() - began, 0, '', '', error]);
  }
  underWay.delete(patience);
}

/** Lets a moment pass, and gives up what has waited too long. */
async function wait(): Promise<void> {
  await sleep(1);
  const now = performance.now();
  awake.time += Math.min(now - awake.seen, longestTick);
  awake.seen = now;
  for (const [patience, deadline] of underWay) {
    if (deadline > awake.time) return;
    underWay.delete(patience);
    patience.abort(new Error(`no answer within ${settings.timeout} ms`));
  }
}

function report(end?: LoadEnd): Promise<void> {
  const message: LoadMessage = { requests: ended, ...(end === undefined ? {} : { end }) };
  ended = [];
  return new Promise((resolve) => {
    process.send?.(message, () => resolve());
  });
}

const start = performance.now();
const gap = 1000 / settings.rate;
const limit = Math.min(settings.count, Math.ceil(settings.seconds * settings.rate));
const reporting = setInterval(() => void report(), reportEvery);
let sent = 0;
let worstLag = 0;
while (sent < limit && !state.stopping) {
  for (let due = start + sent * gap; due <= performance.now() && sent < limit; ) {
    worstLag = Math.max(worstLag, performance.now() - due);
    void sendOne();
    sent += 1;
    due = start + sent * gap;
  }
  await wait();
}
while (underWay.size > 0) await wait();
await sleep(0); // what was given up last is told, too
clearInterval(reporting);
await report({ sent, worstLag });
process.disconnect();
