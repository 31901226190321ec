// A file that fails is run again, alone, on a cluster of its own: on a machine that others use too,
// a second without a processor is a second without an answer. What failed at first is told either
// way, and what fails every time has failed.

/** The parts of Vitest's JSON report that are used here. */
export interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly FileResult[];
}

export interface FileResult {
  /** Absolute path. */
  readonly name: string;
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
}

/** With more files than this the fault is not the machine's. */
const mostFiles = 6;

/** Files worth a second try; none where so much fails that it would tell nothing. */
export function filesToRepeat({ testResults }: Report): readonly string[] {
  const failed = testResults.filter(({ status }) => status === 'failed').map(({ name }) => name);
  return failed.length > mostFiles ? [] : failed;
}

/** Names of the cases that failed; of a file that could not be collected its own. */
export const failedCases = ({ testResults }: Report): readonly string[] =>
  testResults
    .filter(({ status }) => status === 'failed')
    .flatMap(({ name, assertionResults }) =>
      assertionResults.length === 0
        ? [name]
        : assertionResults
            .filter(({ status }) => status === 'failed')
            .map(({ fullName }) => fullName),
    );

/** The first report with the second's results in the place of those that were repeated. */
export function merged(first: Report, second: Report): Report {
  const again = new Set(second.testResults.map(({ name }) => name));
  const kept = first.testResults.filter(({ name }) => !again.has(name));
  const testResults = [...kept, ...second.testResults];
  const count = (wanted: string) =>
    testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === wanted).length;
  return {
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    testResults,
  };
}
