import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { mustRun } from './command.ts';
import { builtTools, contentHash, toolModules } from './places.ts';

/** Where the built components are. */
export interface Tools {
  readonly apiServer: string;
  readonly controllerManager: string;
  readonly kubectl: string;
  readonly traefik: string;
  /** Folder with the Gateway API definitions (standard channel). */
  readonly gatewayDefinitions: string;
}

/** One Go module whose `tool` lines name the programs to build. */
interface ToolModule {
  readonly name: string;
  readonly programs: readonly string[];
  readonly flags: readonly string[];
  /** What a person waits for when nothing is cached, on two cores. */
  readonly coldMinutes: number;
}

const kubernetesVersion = '1.36.3';
const traefikVersion = '3.7.9';
const versionPackage = 'k8s.io/component-base/version';

/** Clients parse the version the API server reports, and a plain `go build` leaves it empty. */
const kubernetesStamp = [
  `gitVersion=v${kubernetesVersion}`,
  'gitMajor=1',
  'gitMinor=36',
  'gitTreeState=clean',
  'gitCommit=module',
  'buildDate=2026-07-23T00:00:00Z',
]
  .map((value) => `-X ${versionPackage}.${value}`)
  .join(' ');

const modules = {
  kube: {
    name: 'kube',
    programs: ['kube-apiserver', 'kube-controller-manager', 'kubectl'],
    flags: ['-pgo=off', '-tags=selinux,notest,grpcnotrace', `-ldflags=-s -w ${kubernetesStamp}`],
    coldMinutes: 9,
  },
  traefik: {
    name: 'traefik',
    programs: ['traefik'],
    flags: [
      '-pgo=off',
      `-ldflags=-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=${traefikVersion}`,
    ],
    coldMinutes: 8,
  },
} as const satisfies Record<string, ToolModule>;

const goFlags = '-trimpath -buildvcs=false -mod=readonly';

/** Builds what is not yet in the cache. Two builders at once wait for each other and build once. */
export async function ensureTools(say: (line: string) => void): Promise<Tools> {
  const kube = await ensureModule(modules.kube, say);
  const traefik = await ensureModule(modules.traefik, say);
  const gatewayDefinitions = await ensureGatewayDefinitions(traefik);
  return {
    apiServer: join(kube, 'kube-apiserver'),
    controllerManager: join(kube, 'kube-controller-manager'),
    kubectl: join(kube, 'kubectl'),
    traefik: join(traefik, 'traefik'),
    gatewayDefinitions,
  };
}

function goEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, CGO_ENABLED: '0', GOFLAGS: goFlags, GOWORK: 'off' };
}

async function moduleKey(module: ToolModule, folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((e) => join(e.parentPath, e.name));
  const contents = await Promise.all(files.sort().map((file) => readFile(file)));
  const goVersion = await mustRun('go', ['version'], { cwd: folder, env: goEnvironment() });
  return contentHash([goVersion, goFlags, ...module.flags, ...module.programs, ...contents]);
}

async function ensureModule(module: ToolModule, say: (line: string) => void): Promise<string> {
  const folder = join(toolModules, module.name);
  const destination = join(builtTools, `${module.name}-${await moduleKey(module, folder)}`);
  if (existsSync(destination)) return destination;
  await mkdir(builtTools, { recursive: true });
  const unfinished = `${destination}.${process.pid}`;
  say(
    `building ${module.programs.join(', ')} from source; up to ${module.coldMinutes} minutes ` +
      'on two cores the first time, less when Go has built a part of it before',
  );
  await compile(module, { folder, destination, unfinished }, say);
  if (existsSync(unfinished)) {
    // Atomic: nobody ever sees a half-filled folder. It fails if another builder was first.
    await rename(unfinished, destination).catch(async (cause: unknown) => {
      await rm(unfinished, { recursive: true, force: true });
      if (!existsSync(destination)) throw cause;
    });
  }
  return destination;
}

/** Runs `go build` under a kernel lock, which vanishes with its holder, and reports progress. */
function compile(
  module: ToolModule,
  at: { readonly folder: string; readonly destination: string; readonly unfinished: string },
  say: (line: string) => void,
): Promise<void> {
  const build = ['go', 'build', '-v', ...module.flags, '-o', `${at.unfinished}/`, 'tool'];
  const onlyIfStillMissing = 'if [ -d "$1" ]; then exit 0; fi; shift; exec "$@"';
  const lock = join(builtTools, `${module.name}.lock`);
  const args = [lock, 'sh', '-c', onlyIfStillMissing, 'sh', at.destination, ...build];
  const child = spawn('flock', args, {
    cwd: at.folder,
    env: goEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const began = performance.now();
  const problems: string[] = [];
  let packages = 0;
  let downloads = 0;
  createInterface(child.stderr).on('line', (line) => {
    if (line.startsWith('go: downloading')) downloads += 1;
    else if (/^[\w.~/-]+$/.test(line)) packages += 1;
    else problems.push(line);
  });
  const progress = setInterval(() => {
    const seconds = Math.round((performance.now() - began) / 1000);
    say(`  ${module.name}: ${seconds} s, ${downloads} modules fetched, ${packages} packages built`);
  }, 20_000);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(progress);
      const seconds = Math.round((performance.now() - began) / 1000);
      if (code === 0) {
        say(`  ${module.name}: done in ${seconds} s`);
        resolve();
      } else {
        reject(new Error(`building ${module.name} failed:\n${problems.slice(-40).join('\n')}`));
      }
    });
  });
}

/** The definitions come from the very module Traefik was built with, verified by its go.sum. */
async function ensureGatewayDefinitions(traefik: string): Promise<string> {
  const destination = join(traefik, 'gateway-api');
  if (existsSync(destination)) return destination;
  const folder = join(toolModules, modules.traefik.name);
  const module = 'sigs.k8s.io/gateway-api';
  const options = { cwd: folder, env: goEnvironment(), timeout: 300_000 };
  const answer = await mustRun('go', ['mod', 'download', '-json', module], options);
  const source = (JSON.parse(answer) as { readonly Dir: string }).Dir;
  const unfinished = `${destination}.${process.pid}`;
  const folderOfDefinitions = join(source, 'config/crd/standard');
  await mkdir(unfinished, { recursive: true });
  // File by file: the module cache is read-only, and a copied folder would be too.
  for (const file of await readdir(folderOfDefinitions)) {
    await writeFile(join(unfinished, file), await readFile(join(folderOfDefinitions, file)));
  }
  await rename(unfinished, destination).catch(async (cause: unknown) => {
    await rm(unfinished, { recursive: true, force: true });
    if (!existsSync(destination)) throw cause;
  });
  return destination;
}
