import type { Terminal } from './terminal.ts';

/** Something that is shown again and again. */
export interface LiveView {
  /** What is so now, as it looks on a screen, and as one line for each thing. */
  show(screen: string, lines: readonly string[]): void;
  /** Leaves the last picture standing. */
  end(): void;
}

const hideCursor = '\u001B[?25l';
const showCursor = '\u001B[?25h';
const clearBelow = '\u001B[0J';

/** Redraws in place for people; elsewhere prints each line when it changes, after `stamp()`. */
export const liveView = (terminal: Terminal, stamp: () => string): LiveView =>
  terminal.live ? redrawing(terminal) : appending(terminal, stamp);

function redrawing(terminal: Terminal): LiveView {
  let height = 0;
  let shown = '';
  return {
    show: (screen) => {
      const lines = screen.split('\n');
      const hidden = lines.length - (terminal.rows - 1);
      const fitting =
        hidden > 0 ? [...lines.slice(0, terminal.rows - 2), `… and ${hidden + 1} more`] : lines;
      const text = fitting.join('\n');
      if (text === shown) return;
      shown = text;
      const back = height > 0 ? `\u001B[${height}F` : hideCursor;
      terminal.raw(`${back}${clearBelow}${text}\n`);
      height = fitting.length;
    },
    end: () => {
      if (height > 0) terminal.raw(showCursor);
    },
  };
}

function appending(terminal: Terminal, stamp: () => string): LiveView {
  let before: ReadonlySet<string> = new Set();
  return {
    show: (_screen, lines) => {
      for (const line of lines) if (!before.has(line)) terminal.out(`${stamp()}${line}`);
      before = new Set(lines);
    },
    end: () => {},
  };
}
