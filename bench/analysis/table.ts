/** Markdown table, columns padded so that it reads well in a terminal too. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, i) => Math.max(3, ...cells.map((row) => (row[i] ?? '').length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(cells[0] ?? []), rule, ...cells.slice(1).map(line)].join('\n');
}

export const mean = (values: readonly number[]): number =>
  values.length === 0 ? Number.NaN : values.reduce((a, b) => a + b, 0) / values.length;

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}

/** `100`, `0.4`, `0`: a share in percent; `–` for nothing to show. */
export function percents(share: number): string {
  if (Number.isNaN(share)) return '–';
  const value = share * 100;
  return value === 0 || value >= 9.95 ? value.toFixed(0) : value.toFixed(value < 0.1 ? 2 : 1);
}

export const short = (value: number): string =>
  Number.isNaN(value) ? '–' : value >= 9.95 ? value.toFixed(0) : value.toFixed(1);
