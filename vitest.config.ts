import { defineConfig } from 'vitest/config';

// CI adds up what ran: with HALDANE_TEST_REPORT=FILE the results are also written there as JSON.
const report = process.env['HALDANE_TEST_REPORT'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/cluster/**', 'test/browser/**', '**/node_modules/**'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    expandSnapshotDiff: true,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    // A focused or empty run must not pass for a whole one.
    allowOnly: false,
    passWithNoTests: false,
    coverage: { provider: 'v8', include: ['src/**/*.ts'] },
  },
});
