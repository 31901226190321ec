// usage: node sum-reports.mjs REPORT...   Prints "PASSED FAILED" over Vitest's JSON reports. A
// report that is
// missing or broken, and a file whose tests could not even be collected, count as one failure each.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** @returns {{passed: number, failed: number}} */
export function sumReports(files) {
  const total = { passed: 0, failed: 0 };
  for (const file of files) {
    try {
      const report = JSON.parse(readFileSync(file, 'utf8'));
      const broken = report.testResults.filter(
        (one) => one.status === 'failed' && one.assertionResults.length === 0,
      ).length;
      total.passed += report.numPassedTests;
      total.failed += report.numFailedTests + broken;
    } catch {
      total.failed += 1;
    }
  }
  return total;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { passed, failed } = sumReports(process.argv.slice(2));
  console.log(`${passed} ${failed}`);
}
