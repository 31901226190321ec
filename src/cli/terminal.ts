/** Where a command writes, and what may be done there. */
export interface Terminal {
  /** Writes one or more lines to standard output. */
  readonly out: (text: string) => void;
  /** Writes one or more lines to standard error. */
  readonly err: (text: string) => void;
  /** Writes to standard output as it is: for redrawing. */
  readonly raw: (text: string) => void;
  /** People look on: lines may be redrawn. */
  readonly live: boolean;
  readonly color: boolean;
  readonly columns: number;
  readonly rows: number;
}

/** The terminal of this process. Colors and redrawing only where a person looks on. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  const live = stdout.isTTY && env['TERM'] !== 'dumb' && env['CI'] === undefined;
  const color = env['NO_COLOR'] === undefined && (live || (env['FORCE_COLOR'] ?? '0') !== '0');
  return {
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${text}\n`),
    raw: (text) => void stdout.write(text),
    live,
    color,
    get columns() {
      return stdout.columns || 100;
    },
    get rows() {
      return stdout.rows || 40;
    },
  };
}
