// npm run check: format, lint, types and tidiness, side by side. Prints what failed, and each
// one's time.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: string;
  readonly output: string;
}

const root = join(import.meta.dirname, '..');

const checks: readonly Check[] = [
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'types of scripts', command: ['tsc', '-p', 'scripts'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['biome', 'ci', '--colors=off', '.'] },
  { name: 'tidy', command: ['vitest', 'run', 'test/tidy.test.ts', 'test/unit/tidy'] },
];

function run({ name, command: [program, ...args] }: Check): Promise<Outcome> {
  const begin = performance.now();
  return new Promise((resolve) => {
    const bin = join(root, 'node_modules', '.bin', program);
    const child = spawn(bin, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    const end = (ok: boolean): void => {
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      resolve({ name, ok, seconds, output });
    };
    child.on('error', (error) => {
      output += error.message;
      end(false);
    });
    child.on('close', (code) => end(code === 0));
  });
}

async function runAll(): Promise<readonly Outcome[]> {
  const waiting = [...checks];
  const done: Outcome[] = [];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const outcome = await run(next);
      done.push(outcome);
      if (!outcome.ok) console.log(outcome.output.trimEnd());
      console.log(`${outcome.ok ? 'ok    ' : 'FAILED'} ${outcome.name} (${outcome.seconds} s)`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, lane));
  return done;
}

const failed = (await runAll()).filter((outcome) => !outcome.ok);
if (failed.length > 0) {
  console.log(`check failed: ${failed.map((outcome) => outcome.name).join(', ')}`);
  process.exitCode = 1;
}
