import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterFiles } from './components.ts';
import { clusterCache } from './places.ts';
import { isAlive, type ProcessRecord, recordProcess } from './process-record.ts';
import { endLeftovers } from './supervisor.ts';

/** Who owns a run's folder, and the data that lies elsewhere. */
interface Owner {
  readonly owner: ProcessRecord;
  readonly data: string;
}

/** Logs of this many finished runs are kept. */
const keptRuns = 5;

/** A folder for this run, after tidying up what runs that were killed have left. */
export function makeRunFolder(): ClusterFiles {
  mkdirSync(clusterCache, { recursive: true });
  removeOldRuns();
  const stamp = new Date().toISOString().replaceAll(/[-:]|\..*/g, '');
  const run = join(clusterCache, `run-${stamp}-${process.pid}`);
  mkdirSync(run, { mode: 0o700 });
  // In memory where possible: etcd waits for the disk at each write.
  const data = mkdtempSync(
    join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'haldane-cluster-'),
  );
  const owner = recordProcess('owner', process.pid);
  if (owner !== undefined) {
    writeFileSync(join(run, 'owner.json'), JSON.stringify({ owner, data } satisfies Owner));
  }
  return {
    run,
    data,
    kubeconfig: join(run, 'admin.kubeconfig'),
    auditLog: join(run, 'audit.log'),
    prometheusConfig: join(run, 'prometheus.json'),
    scrapeTargets: join(run, 'scrape-targets.json'),
  };
}

function removeOldRuns(): void {
  const runs = readdirSync(clusterCache)
    .filter((name) => name.startsWith('run-'))
    .sort();
  const abandoned = runs.map((name) => join(clusterCache, name)).filter((run) => abandon(run));
  for (const run of abandoned.slice(0, -keptRuns)) rmSync(run, { recursive: true, force: true });
}

/** Frees what a dead run holds; false when its owner still lives. */
function abandon(run: string): boolean {
  const file = join(run, 'owner.json');
  if (!existsSync(file)) return true;
  try {
    const { owner, data } = JSON.parse(readFileSync(file, 'utf8')) as Owner;
    if (isAlive(owner)) return false;
    const folders = readdirSync(run).map((name) => join(run, name));
    for (const folder of folders) if (statSync(folder).isDirectory()) endLeftovers(folder);
    endLeftovers(run);
    rmSync(data, { recursive: true, force: true });
  } catch (cause) {
    console.log(`cannot tidy up ${run}: ${String(cause)}`);
  }
  return true;
}
