import { writeFileSync } from 'node:fs';

/** What a bench that also checks has run. */
export interface Ran {
  /** In the plural, for people. */
  readonly what: string;
  readonly done: number;
  readonly failures: number;
  /** Fewer are a failure: for want of time, for example. */
  readonly least: number;
}

/**
 * The exit code; for `.ci/run`, which adds up the reports of its stages, also one passed or failed
 * test in the file that HALDANE_TEST_REPORT names.
 */
export function conclude({ what, done, failures, least }: Ran): 0 | 1 {
  if (done < least) console.log(`${done} ${what}: at least ${least} are needed`);
  const failed = failures > 0 || done < least ? 1 : 0;
  const path = process.env['HALDANE_TEST_REPORT'];
  const counts = { numPassedTests: 1 - failed, numFailedTests: failed, testResults: [] };
  if (path !== undefined) writeFileSync(path, JSON.stringify(counts));
  return failed;
}
