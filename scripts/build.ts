// npm run build: dist/haldane.js, controller and command line in one file that needs no
// node_modules.
import { chmod, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import packageJson from '../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '..');
const outfile = join(root, 'dist', 'haldane.js');

/**
 * First statements of the bundle: they run before any module that an old Node.js could not load.
 */
const guard = `
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  console.error('haldane needs Node.js 22.19 or newer; this is ' + process.version);
  process.exit(2);
}`;

/** Some packages are CommonJS and call require for Node's own modules. */
const requireForCommonJs = `
import { createRequire as haldaneCreateRequire } from 'node:module';
const require = haldaneCreateRequire(import.meta.url);`;

const oneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, ' ').trim();

await rm(join(root, 'dist'), { recursive: true, force: true });
const result = await build({
  entryPoints: [join(root, 'src', 'cli', 'main.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  // Old enough in syntax that the guard gets to speak on Node.js 20.
  target: 'node20',
  minify: true,
  keepNames: true,
  sourcemap: 'linked',
  legalComments: 'linked',
  metafile: true,
  define: { HALDANE_VERSION: JSON.stringify(packageJson.version) },
  banner: { js: `#!/usr/bin/env node\n${oneLine(`{${guard}}`)}\n${oneLine(requireForCommonJs)}` },
  logLevel: 'warning',
});
await chmod(outfile, 0o755);

const megabytes = ((await stat(outfile)).size / 1e6).toFixed(1);
const modules = Object.keys(result.metafile.inputs).length;
console.log(`dist/haldane.js: ${megabytes} MB from ${modules} modules`);
