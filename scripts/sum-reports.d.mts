export function sumReports(files: readonly string[]): { passed: number; failed: number };
