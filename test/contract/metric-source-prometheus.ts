import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const binary = process.env['PROMETHEUS'] ?? '/usr/bin/prometheus';

export const hasPrometheus = existsSync(binary);

/** Counters that a real Prometheus scrapes: text of the exposition format by series. */
export interface Exporter {
  readonly values: Map<string, number>;
  readonly add: (series: string, by: number) => void;
  /** Scrapes answered since the start. */
  readonly scrapes: () => number;
}

export interface RealPrometheus extends Exporter {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Runs the real binary on loopback with one target in this process, scraped four times a second.
 */
export async function startPrometheus(): Promise<RealPrometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'haldane-prometheus-'));
  const exporter = await startExporter();
  const port = await freePort();
  const file = join(folder, 'prometheus.yml');
  await writeFile(file, configuration(exporter.port));
  const child = spawn(
    binary,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    await ended(child);
    await new Promise((resolve) => {
      exporter.server.closeAllConnections();
      exporter.server.close(resolve);
    });
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await waitFor('Prometheus to be ready', async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus ended with ${child.exitCode}`);
      return (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const { values, add, scrapes } = exporter;
  return { url, values, add, scrapes, stop };
}

const configuration = (target: number): string => `
global: { scrape_interval: 250ms, scrape_timeout: 250ms }
scrape_configs:
  - job_name: app
    honor_labels: true
    static_configs: [{ targets: ['127.0.0.1:${target}'] }]
`;

async function startExporter(): Promise<
  Exporter & { readonly server: Server; readonly port: number }
> {
  const values = new Map<string, number>();
  let scrapes = 0;
  const server = createServer((_request, response) => {
    scrapes += 1;
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
    response.end([...values].map(([series, value]) => `${series} ${value}\n`).join(''));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    values,
    add: (series, by) => void values.set(series, (values.get(series) ?? 0) + by),
    scrapes: () => scrapes,
    server,
    port: (server.address() as AddressInfo).port,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const gone = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(killer);
}

/** Looks until a condition holds; fails by name after 20 s. */
export async function waitFor(
  what: string,
  holds: () => Promise<boolean> | boolean,
): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited 20 s for ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}
