import { describe, type LiveRollout } from './live.ts';

const dim = (text: string) => `\u001b[2m${text}\u001b[0m`;
const clear = '\r\u001b[2K';

/** Lines that stay, and below them one that tells how far the rollout is and changes in place. */
export interface Terminal {
  say(text: string): void;
  /** Shown where the output is a terminal; what is piped gets only the lines that stay. */
  status(rollout: LiveRollout | undefined): void;
}

export function openTerminal(out: NodeJS.WriteStream): Terminal {
  let shown = '';
  return {
    say: (text) => {
      out.write(out.isTTY ? `${clear}${text}\n${shown}` : `${text}\n`);
    },
    status: (rollout) => {
      if (!out.isTTY) return;
      const text = rollout === undefined ? '' : `      ${describe(rollout)}`;
      shown = text === '' ? '' : dim(text.slice(0, out.columns - 1));
      out.write(`${clear}${shown}`);
    },
  };
}
