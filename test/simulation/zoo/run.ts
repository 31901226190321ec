import type { Specimen } from './bugs.ts';
import { type Outcome, play, type SceneName } from './scenes.ts';

// Puts one bug in, plays its scene, and takes it out again.

const calm = new Map<SceneName, Outcome>();

/** The scene without a bug. */
export async function undisturbed(scene: SceneName): Promise<Outcome> {
  const known = calm.get(scene) ?? (await play(scene));
  calm.set(scene, known);
  return known;
}

/** What the oracles say of a bug; none when it was not seen. */
export async function caught(bug: Specimen): Promise<readonly string[]> {
  const { end } = await undisturbed(bug.scene);
  const uninstall = bug.install?.();
  try {
    return (await play(bug.scene, bug.start, end)).violations;
  } finally {
    uninstall?.();
  }
}
