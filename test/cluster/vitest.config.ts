import { defineConfig } from 'vitest/config';
import { repository } from './places.ts';

export default defineConfig({
  test: {
    root: repository,
    include: ['test/cluster/cases/**/*.test.ts'],
    // One cluster serves all files, and a case may stop a part of it.
    fileParallelism: false,
    allowOnly: false,
    passWithNoTests: false,
    pool: 'forks',
    testTimeout: 300_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
  },
});
