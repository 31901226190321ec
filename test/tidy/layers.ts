import { dirname, join, normalize } from 'node:path/posix';
import { type Import, importsOf, type SourceText } from './source-text.ts';

/** What the files of one folder below `src/` may import. Their own folder is always allowed. */
export interface Layer {
  readonly folders: readonly string[];
  /** npm packages; `any` = whatever package.json depends on. */
  readonly packages: readonly string[] | 'any';
  readonly node: boolean;
}

const pure = ['lib', 'analysis', 'rollout', 'spec'] as const;
const aside: Layer = { folders: pure, packages: 'any', node: true };
const below = [
  ...pure,
  'kubernetes',
  'telemetry',
  'traffic-providers',
  'metric-sources',
  'notifiers',
] as const;

/**
 * The directions of imports, as ARCHITECTURE.md states them. A folder that is not listed may not
 * exist.
 */
export const layers: Readonly<Record<string, Layer>> = {
  lib: { folders: [], packages: [], node: false },
  analysis: { folders: ['lib'], packages: [], node: false },
  rollout: { folders: ['lib', 'analysis'], packages: [], node: false },
  spec: { folders: ['lib', 'analysis', 'rollout'], packages: ['zod'], node: false },
  kubernetes: aside,
  telemetry: aside,
  'traffic-providers': aside,
  'metric-sources': aside,
  notifiers: aside,
  controller: { folders: below, packages: 'any', node: true },
  http: { folders: [...below, 'controller'], packages: 'any', node: true },
  dashboard: { folders: ['lib', 'http'], packages: ['preact', 'uplot'], node: false },
  cli: { folders: [...below, 'controller'], packages: 'any', node: true },
  embedded: { folders: [...below, 'controller'], packages: 'any', node: true },
};

/** Exceptions to {@link layers}, each with its reason. Key: file, then the module it may import. */
export const exceptions: Readonly<Record<string, readonly string[]>> = {
  // The clock is the one place that knows real time.
  'src/lib/clock.ts': ['node:timers/promises'],
  // Positions of YAML nodes are part of the messages; everything else of the folder is free of
  // files.
  'src/spec/config-file.ts': ['yaml'],
  // The command line starts the controller, which only the composition root can build.
  'src/cli/controller.ts': ['main'],
  // The demo runs the whole controller inside the embedded cluster.
  'src/embedded/main.ts': ['main', 'cli'],
};

/** Violations of {@link layers} by one file, as `file:line: message`. */
export function layerViolations(source: SourceText): readonly string[] {
  const [top, folder, ...rest] = source.path.split('/');
  if (top !== 'src' || folder === undefined || rest.length === 0) return [];
  const layer = layers[folder];
  if (layer === undefined) return [`${source.path}: src/${folder} is not in the table of layers`];
  return importsOf(source).flatMap((one) => {
    const fault = faultOf(source.path, folder, layer, one);
    return fault === undefined ? [] : [`${source.path}:${one.line}: ${fault}`];
  });
}

function faultOf(path: string, folder: string, layer: Layer, one: Import): string | undefined {
  const target = targetOf(path, one.specifier);
  if (exceptions[path]?.includes(target.name)) return undefined;
  switch (target.kind) {
    case 'node':
      return layer.node ? undefined : `${folder} may not import ${one.specifier}`;
    case 'package': {
      const allowed = layer.packages === 'any' || layer.packages.includes(target.name);
      return allowed ? undefined : `${folder} may not import the package ${target.name}`;
    }
    case 'outside':
      return target.name === 'package.json' ? undefined : `src may not import ${target.name}`;
    case 'folder': {
      const allowed = target.name === folder || layer.folders.includes(target.name);
      return allowed ? undefined : `${folder} may not import ${target.name} (${one.specifier})`;
    }
  }
}

interface Target {
  readonly kind: 'node' | 'package' | 'folder' | 'outside';
  readonly name: string;
}

function targetOf(path: string, specifier: string): Target {
  if (specifier.startsWith('node:')) return { kind: 'node', name: specifier };
  if (!specifier.startsWith('.')) {
    const [scope = '', name = ''] = specifier.split('/');
    return { kind: 'package', name: scope.startsWith('@') ? `${scope}/${name}` : scope };
  }
  const file = normalize(join(dirname(path), specifier));
  const [top, folder = '', ...rest] = file.split('/');
  if (top !== 'src') return { kind: 'outside', name: file };
  return { kind: 'folder', name: rest.length === 0 ? folder.replace(/\.ts$/, '') : folder };
}
