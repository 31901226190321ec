import { ensureTools, type Tools } from './build.ts';
import { runInsideNetwork } from './network.ts';
import { ensurePrerequisites } from './prerequisites.ts';

const toolsVariable = 'HALDANE_TEST_TOOLS';

/**
 * The part of an entry that needs the outside world: installs, builds, and then runs the same file
 * again inside the test's network. Returns the exit code.
 */
export async function prepareAndEnter(file: string, args: readonly string[]): Promise<number> {
  const say = (line: string) => console.log(line);
  try {
    await ensurePrerequisites(say);
    const tools = await ensureTools(say);
    return await runInsideNetwork(file, args, { [toolsVariable]: JSON.stringify(tools) });
  } catch (cause) {
    console.error(cause instanceof Error ? cause.message : cause);
    return 1;
  }
}

/** Inside: what {@link prepareAndEnter} has built. */
export function preparedTools(): Tools {
  return JSON.parse(process.env[toolsVariable] ?? '{}') as Tools;
}
