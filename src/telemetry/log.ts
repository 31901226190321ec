import { type DestinationStream, pino } from 'pino';
import type { Clock } from '../lib/clock.ts';
import { toRfc3339 } from '../lib/units.ts';
import type { NoticeKind } from '../rollout/notice.ts';
import type { Phase } from '../rollout/state.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * Every field a line may carry; the message is constant, so that lines can be counted. A new field
 * is added here. Nothing that holds a secret, a response body or a whole object has a place.
 */
export interface LogFields {
  /** `namespace/deployment`. */
  readonly rollout?: string;
  readonly revision?: string;
  readonly attempt?: number;
  readonly reconcileId?: string;
  readonly phase?: Phase;
  readonly rule?: string;
  readonly because?: string;
  readonly action?: string;
  readonly step?: number;
  readonly canaryWeightPercent?: number;
  readonly verdict?: string;
  readonly check?: string;
  readonly evidence?: number;
  readonly code?: string;
  readonly status?: number;
  readonly verb?: string;
  readonly resource?: string;
  readonly object?: string;
  readonly source?: string;
  readonly notifier?: string;
  readonly noticeId?: string;
  readonly noticeKind?: NoticeKind;
  readonly requestedBy?: string;
  readonly durationMillis?: number;
  readonly retryAfterMillis?: number;
  readonly count?: number;
  readonly port?: number;
  readonly path?: string;
  readonly identity?: string;
  readonly version?: string;
  readonly signal?: string;
  readonly error?: unknown;
}

/** One JSON object per line: time, level, the bound fields, the fields, msg. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A log whose lines all carry `fields`. */
  child(fields: LogFields): Log;
}

/** What is shown of an error; never its other properties, where axios keeps URLs and headers. */
export interface ShownError {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
  readonly stack?: string;
}

export function showError(error: unknown): ShownError {
  if (!(error instanceof Error)) return { name: 'thrown', message: shorten(String(error)) };
  const code = (error as { readonly code?: unknown }).code;
  return {
    name: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: shorten(error.message),
    ...(error.stack === undefined ? {} : { stack: error.stack.slice(0, 4000) }),
  };
}

const shorten = (text: string): string => (text.length > 1000 ? `${text.slice(0, 1000)}…` : text);

/**
 * JSON leaves these as they are: C1 controls, which terminals obey, and what reorders or breaks
 * lines.
 */
const unsafe = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export interface LogParts {
  readonly level: LogLevel;
  readonly clock: Clock;
  /**
   * Where lines go; standard output unless given. Writes are synchronous: no line is lost at
   * exit.
   */
  readonly destination?: DestinationStream;
}

export function createLog({ level, clock, destination }: LogParts): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${toRfc3339(clock.now())}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: showError },
      hooks: {
        streamWrite: (line) =>
          line.replace(unsafe, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
      },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}
