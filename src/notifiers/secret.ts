import { OperatingError } from '../lib/errors.ts';

/**
 * A text that must not be seen: however it is printed it reads `[redacted]`. Only {@link
 * Secret.reveal}, called where the bytes leave for the wire, gives it away.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]';
  }
}

type ReadFile = (path: string) => Promise<string>;

/**
 * Reads a secret from its file. It is read at each use, not kept: a rotated Secret volume takes
 * effect with the next notice, and there is no copy to leak. The error names the file, never what
 * is in it.
 */
export async function readSecret(path: string, readFile: ReadFile): Promise<Secret> {
  let text: string;
  try {
    text = (await readFile(path)).trim();
  } catch (error) {
    const code = (error as { readonly code?: unknown } | null)?.code;
    const word = typeof code === 'string' ? code : 'unreadable';
    throw new OperatingError('NOTIFY_FAILED', `secret file ${path}: ${word}`);
  }
  if (text === '') throw new OperatingError('NOTIFY_FAILED', `secret file ${path}: empty`);
  return new Secret(text);
}

/** As {@link readSecret}, for a file that must hold one absolute http or https URL. */
export async function readSecretUrl(path: string, readFile: ReadFile): Promise<Secret> {
  const secret = await readSecret(path, readFile);
  const url = URL.parse(secret.reveal());
  if (url === null || !['https:', 'http:'].includes(url.protocol)) {
    throw new OperatingError('NOTIFY_FAILED', `secret file ${path}: not an http or https URL`);
  }
  return secret;
}
