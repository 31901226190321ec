import { existsSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

const high = -10;

/**
 * Puts a process before the others when there are more of them than processors: on a busy machine
 * a gateway that waits for its turn looks like one that follows no route. Only root may; for
 * others nothing changes.
 */
export function prefer(pid: number): void {
  const group = `/proc/${pid}/autogroup`;
  try {
    setPriority(pid, high);
    // Where sessions are scheduled as groups, a priority counts within its own group only.
    if (existsSync(group)) writeFileSync(group, String(high));
  } catch {
    // not root
  }
}
