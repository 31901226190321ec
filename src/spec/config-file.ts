import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Config, configSchema, danglingNames, idleDefaults } from './config.ts';
import { didYouMean, listed, quote } from './problems.ts';

export const configSizeLimit = 256 * 1024;

/** One mistake in the configuration: `haldane.yaml:12:5 sources.default.url="…": not a URL`. */
export interface ConfigProblem {
  readonly file: string;
  /** Counted from 1; 0 where the mistake has no place of its own. */
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config; readonly place: Place }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

type Path = readonly (string | number)[];
/**
 * Makes a problem at a path of the file: for checks that need more than the schema, e.g. PromQL.
 */
export type Place = (path: Path, message: string) => ConfigProblem;

/** Text of the configuration to values. Pure; the file name is only for messages. Never throws. */
export function parseConfig(text: string, file: string): ParsedConfig {
  const whole = (message: string): ParsedConfig => ({
    ok: false,
    problems: [{ file, line: 0, column: 0, path: '', message: `${file}: ${message}` }],
  });
  if (text.length > configSizeLimit) return whole(`longer than ${configSizeLimit} characters`);
  try {
    return parseDocumentOf(text, file);
  } catch (error) {
    // The YAML reader recurses: nesting without end exhausts the stack, aliases may multiply.
    return whole(`cannot be read as YAML: ${error instanceof Error ? error.message : 'too deep'}`);
  }
}

function parseDocumentOf(text: string, file: string): ParsedConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true });
  if (document.errors.length > 0) {
    return {
      ok: false,
      problems: document.errors.slice(0, 3).map(({ pos, message }) => {
        const { line, col } = lines.linePos(pos[0]);
        return { file, line, column: col, path: '', message: `${file}:${line}:${col} ${message}` };
      }),
    };
  }
  const place = placeIn(document, lines, file);
  const value: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
  const result = configSchema.safeParse(value);
  if (!result.success) {
    return { ok: false, problems: result.error.issues.flatMap((i) => problemsOf(i, value, place)) };
  }
  const dangling = danglingNames(result.data).map(({ path, name, what, known }) =>
    place(
      path,
      `=${quote(name)}: unknown ${what}${didYouMean(name, known)}; configured: ${listed(known)}`,
    ),
  );
  if (dangling.length > 0) return { ok: false, problems: dangling };
  const idle = idleDefaults(result.data);
  if (idle !== undefined) {
    const names = quote(result.data.defaults.checks.join(','));
    return { ok: false, problems: [place(['defaults', 'checks'], `=${names}: ${idle}`)] };
  }
  return { ok: true, config: result.data, place };
}

function placeIn(document: Document.Parsed, lines: LineCounter, file: string): Place {
  return (path, message) => {
    const { line, col } = lines.linePos(offsetOf(document, path));
    const dotted = path.join('.');
    return {
      file,
      line,
      column: col,
      path: dotted,
      message: `${file}:${line}:${col} ${dotted}${message}`,
    };
  };
}

/** Where the key of `path` begins; the nearest key above it when the path is not in the text. */
function offsetOf(document: Document.Parsed, path: Path): number {
  for (let length = path.length; length > 0; length -= 1) {
    const above =
      length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    if (isMap(above)) {
      const pair = above.items.find(({ key }) => isScalar(key) && key.value === path[length - 1]);
      if (pair !== undefined && isScalar(pair.key)) return pair.key.range?.[0] ?? 0;
    }
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isScalar(node)) return node.range?.[0] ?? 0;
  }
  return 0;
}

type Issue = z.core.$ZodIssue;

function problemsOf(issue: Issue, value: unknown, place: Place): ConfigProblem[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path);
    return issue.keys.map((key) =>
      place([...path, key], `: unknown key${didYouMean(key, known)}; known: ${listed(known, 20)}`),
    );
  }
  if (issue.code === 'invalid_key') {
    return [place(path, `: the name ${issue.issues.map(({ message }) => message).join(', ')}`)];
  }
  const found = valueAt(value, path);
  if (found === undefined && issue.code === 'invalid_type') return [place(path, ': is missing')];
  const secret = issue.code === 'custom' && issue.params?.['secret'] === true;
  const shown = secret ? '' : shownValue(found);
  return [place(path, `${shown}: ${issue.message}`)];
}

const shownValue = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? `=${quote(`${value}`)}`
    : '';

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const part of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = Object.hasOwn(current, part) ? Reflect.get(current, part) : undefined;
  }
  return current;
}

/** Keys that the schema knows at a path, read off the schema itself. */
function knownKeys(path: Path): readonly string[] {
  let schema: unknown = configSchema;
  for (const part of path) {
    const inner = unwrapped(schema);
    const shape = property(inner, 'shape');
    const next =
      property(shape, String(part)) ?? property(property(inner, '_zod', 'def'), 'valueType');
    schema = next ?? property(property(inner, '_zod', 'def'), 'element');
  }
  const shape = property(unwrapped(schema), 'shape');
  return typeof shape === 'object' && shape !== null ? Object.keys(shape) : [];
}

/** The schema inside defaults, optionals and transforms. */
function unwrapped(schema: unknown): unknown {
  let current = schema;
  for (let depth = 0; depth < 8; depth += 1) {
    const definition = property(current, '_zod', 'def');
    const inner = property(definition, 'innerType') ?? property(definition, 'in');
    if (inner === undefined) return current;
    current = inner;
  }
  return current;
}

function property(value: unknown, ...names: readonly string[]): unknown {
  return names.reduce<unknown>(
    (at, name) => (typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined),
    value,
  );
}
