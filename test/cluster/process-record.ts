import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessRecord {
  readonly name: string;
  readonly pid: number;
  /** Clock ticks between boot and its start, from /proc/PID/stat. */
  readonly startTime: string;
}

const pageBytes = 4096;
const ticksPerSecond = 100;

/** Fields of /proc/PID/stat after the command name, which may itself hold blanks and brackets. */
function stat(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** The record of a living process; undefined when there is none. */
export function recordProcess(name: string, pid: number): ProcessRecord | undefined {
  const fields = stat(pid);
  const startTime = fields?.[19];
  if (startTime === undefined || fields?.[0] === 'Z') return undefined;
  return { name, pid, startTime };
}

/** Whether exactly this process still runs. */
export function isAlive(record: ProcessRecord): boolean {
  return recordProcess(record.name, record.pid)?.startTime === record.startTime;
}

/** Memory and processor time a process has used so far. */
export interface Usage {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
}

/** What the process uses; undefined when it has ended. */
export function usage(pid: number): Usage | undefined {
  const fields = stat(pid);
  if (fields === undefined) return undefined;
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { residentBytes: Number(fields[21]) * pageBytes, cpuSeconds: ticks / ticksPerSecond };
}
