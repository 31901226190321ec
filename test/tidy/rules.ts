import { importsOf, lineOf, type SourceText } from './source-text.ts';

/** A rule over one file: what breaks it, as `file:line: message`. */
export type Rule = (source: SourceText) => readonly string[];

function matches(
  source: SourceText,
  text: string,
  pattern: RegExp,
  message: (found: string) => string,
): readonly string[] {
  return [...text.matchAll(pattern)].map(
    (match) => `${source.path}:${lineOf(text, match.index)}: ${message(match[1] ?? match[0])}`,
  );
}

const isSource = (source: SourceText): boolean => source.path.startsWith('src/');
const isTest = (source: SourceText): boolean => source.path.startsWith('test/');

/** Nothing in these folders may depend on time, chance, the process or order of completion. */
const pureFolders = /^src\/(lib|analysis|rollout|spec)\//;
const impureFiles = new Set(['src/lib/clock.ts', 'src/lib/random.ts']);

const impure =
  /(?<![.\w$])(Date|process|console|globalThis|performance|crypto|fetch|setTimeout|setInterval|setImmediate|queueMicrotask|async|await)\b(?!\s*\??:)/g;

export const pureFoldersArePure: Rule = (source) => {
  if (!pureFolders.test(source.path) || impureFiles.has(source.path)) return [];
  const say = (found: string): string => `${found} in a pure folder`;
  return [
    ...matches(source, source.code, impure, say),
    ...matches(source, source.code, /\bMath\.random\b/g, say),
  ];
};

/** Time and chance come in as arguments, so that a whole rollout can be run in virtual time. */
const clockCalls = /\b(Date\.now|new Date\(\)|Math\.random|(?<![.\w])performance\.now)\b/g;

export const timeIsInjected: Rule = (source) =>
  /^src\/(controller|kubernetes|telemetry|traffic-providers|metric-sources|notifiers)\//.test(
    source.path,
  )
    ? matches(source, source.code, clockCalls, (found) => `${found}: take the clock as argument`)
    : [];

export const processEndsInMain: Rule = (source) =>
  isSource(source) && !/^src\/(main\.ts|cli\/|embedded\/main\.ts|embedded\/demo)/.test(source.path)
    ? matches(source, source.code, /\bprocess\.exit\b/g, (found) => `${found} outside main and cli`)
    : [];

export const noBarrels: Rule = (source) => [
  ...(source.path.endsWith('/index.ts') ? [`${source.path}: a barrel file`] : []),
  ...importsOf(source)
    .filter((one) => one.passedOn)
    .map((one) => `${source.path}:${one.line}: passes on ${one.specifier}; import it where it is`),
];

export const noDefaultExports: Rule = (source) =>
  source.path.endsWith('.config.ts')
    ? []
    : matches(source, source.code, /\bexport\s+default\b/g, () => 'default export');

export const noEnums: Rule = (source) =>
  matches(
    source,
    source.code,
    /^\s*(?:export\s+|declare\s+|const\s+)*(enum|namespace)\s+[A-Z]/gm,
    (found) => `${found}: use a union or a module`,
  );

export const importsNameTheirFile: Rule = (source) =>
  importsOf(source)
    .filter((one) => one.specifier.startsWith('.') && !/\.(ts|tsx|mjs|json)$/.test(one.specifier))
    .map((one) => `${source.path}:${one.line}: ${one.specifier} lacks its extension`);

const columns = 100;

/**
 * A line may be longer only when it holds one word that cannot be broken, such as an address or a
 * hash.
 */
export const hundredColumns: Rule = (source) =>
  source.original.split('\n').flatMap((line, index) => {
    const tooLong = line.length > columns && !/\S{70}/.test(line);
    return tooLong ? [`${source.path}:${index + 1}: ${line.length} columns`] : [];
  });

export const fileLength: Rule = (source) => {
  const limit = isTest(source) ? 600 : 400;
  const lines = source.original.split('\n').length - 1;
  return lines > limit ? [`${source.path}: ${lines} lines, at most ${limit}`] : [];
};

const marks = 'TO-DO FIX-ME X-XX HA-CK'.replaceAll('-', '').replaceAll(' ', '|');

export const nothingLeftForLater: Rule = (source) => [
  ...matches(source, source.original, new RegExp(`\\b(${marks})\\b`, 'g'), (found) => found),
  ...(isSource(source)
    ? matches(source, source.comments, /\b(not (?:yet )?implemented)\b/gi, (found) => found)
    : []),
];

export const everyTestRuns: Rule = (source) =>
  isTest(source)
    ? matches(
        source,
        source.code,
        /\b((?:it|test|describe|suite)(?:\.\w+)*\.(?:only|skip|todo|skipIf|runIf|fails))\b/g,
        (found) => `${found}: every test runs`,
      )
    : [];

/**
 * Words that mean nothing here (architecture: one word per thing), as parts of names that we
 * give.
 */
const vagueWords = new Set([
  'primary',
  'baseline',
  'experiment',
  'manager',
  'handler',
  'helper',
  'helpers',
  'util',
  'utils',
]);

const wordsOf = (name: string): readonly string[] =>
  name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/);

const isVague = (name: string): boolean => wordsOf(name).some((word) => vagueWords.has(word));

/**
 * A part of Kubernetes has the word in its name; and the embedded API server keeps
 * `managedFields`, whose
 * entries name their `manager`. Neither is ours to choose.
 */
const isForeign = (path: string, name: string): boolean =>
  /fieldManager|controllerManager|^managers?$/i.test(name) ||
  (path.startsWith('src/embedded/') && wordsOf(name).includes('manager'));

export const oneWordPerThing: Rule = (source) => {
  const declared =
    /\b(?:const|let|function\*?|class|interface|type)\s+([A-Za-z_$][\w$]*)|^\s*(?:readonly\s+)?([A-Za-z_$][\w$]*)\??:/gm;
  const names = [...source.code.matchAll(declared)].flatMap((match) => {
    const name = match[1] ?? match[2] ?? '';
    if (!isVague(name) || isForeign(source.path, name)) return [];
    return [`${source.path}:${lineOf(source.code, match.index)}: the name ${name}`];
  });
  return isVague(source.path) ? [...names, `${source.path}: the name of the file`] : names;
};

export const rules: Readonly<Record<string, Rule>> = {
  'pure folders know no time, chance, process or promise': pureFoldersArePure,
  'time and chance are arguments': timeIsInjected,
  'only main and cli end the process': processEndsInMain,
  'no barrel files': noBarrels,
  'no default exports': noDefaultExports,
  'no enums and namespaces': noEnums,
  'imports name their file': importsNameTheirFile,
  'lines have at most 100 columns': hundredColumns,
  'files are short': fileLength,
  'nothing is left for later': nothingLeftForLater,
  'every test runs': everyTestRuns,
  'one word per thing': oneWordPerThing,
};
