import { type Labels, type Unusable, unusable } from './metric-source.ts';

/** Most samples that one answer may hold. */
export const sampleLimit = 50_000;
const quotedLimit = 120;

/** A series as the query API gives it: values are still texts, judged where they are used. */
export interface RawSeries {
  readonly labels: Labels;
  readonly samples: readonly (readonly [time: number, value: string])[];
  /** Native histograms, in seconds; judged where they are used too. */
  readonly histograms: readonly (readonly [time: number, histogram: unknown])[];
}

export interface Matrix {
  readonly kind: 'matrix';
  readonly series: readonly RawSeries[];
  readonly samples: number;
}

/**
 * Reads the body of `/api/v1/query` for a range selector. Nothing of the body but `errorType` is
 * repeated.
 */
export function parseAnswer(status: number, body: string): Matrix | Unusable {
  const value = parseJson(body);
  if (status !== 200 || !isRecord(value) || value['status'] !== 'success') {
    return refusal(status, value);
  }
  if (value['errorType'] !== undefined) return refusal(status, value);
  const warnings = value['warnings'];
  if (warnings !== undefined && !(Array.isArray(warnings) && warnings.length === 0)) {
    const count = Array.isArray(warnings) ? warnings.length : 1;
    return unusable('partial', `the source gave ${count} warning(s): the data may be incomplete`);
  }
  const data = value['data'];
  if (!isRecord(data)) return unusable('malformed', 'the answer has no data');
  if (data['resultType'] !== 'matrix') {
    return unusable('wrong-type', `resultType ${foreign(data['resultType'])} instead of matrix`);
  }
  return readMatrix(data['result']);
}

function readMatrix(result: unknown): Matrix | Unusable {
  if (!Array.isArray(result)) return unusable('malformed', 'the result is no list');
  const series: RawSeries[] = [];
  let samples = 0;
  for (const entry of result as unknown[]) {
    const read = readSeries(entry);
    if (read === undefined)
      return unusable('malformed', `series ${series.length + 1} of the result`);
    series.push(read);
    samples += read.samples.length + read.histograms.reduce((sum, one) => sum + sizeOf(one[1]), 0);
    if (samples > sampleLimit) return unusable('too-large', `more than ${sampleLimit} samples`);
  }
  return { kind: 'matrix', series, samples };
}

/** A histogram in plain samples: each of its buckets is about two of them in an answer. */
function sizeOf(histogram: unknown): number {
  const buckets = isRecord(histogram) ? histogram['buckets'] : undefined;
  return 1 + (Array.isArray(buckets) ? 2 * buckets.length : 0);
}

function readSeries(entry: unknown): RawSeries | undefined {
  if (!isRecord(entry)) return undefined;
  const { metric, values, histograms } = entry;
  if (!isRecord(metric) || !Object.values(metric).every((text) => typeof text === 'string')) {
    return undefined;
  }
  const samples = values ?? [];
  if (!Array.isArray(samples) || !samples.every(isSample)) return undefined;
  const shapes = histograms ?? [];
  if (!Array.isArray(shapes) || !shapes.every(isTimed)) return undefined;
  return { labels: metric as Labels, samples, histograms: shapes };
}

const isTimed = (entry: unknown): entry is readonly [number, unknown] =>
  Array.isArray(entry) &&
  entry.length === 2 &&
  typeof entry[0] === 'number' &&
  Number.isFinite(entry[0]);

const isSample = (entry: unknown): entry is readonly [number, string] =>
  Array.isArray(entry) &&
  entry.length === 2 &&
  typeof entry[0] === 'number' &&
  Number.isFinite(entry[0]) &&
  typeof entry[1] === 'string';

function refusal(status: number, value: unknown): Unusable {
  const errorType = isRecord(value) ? value['errorType'] : undefined;
  if (status >= 300 && status < 400) {
    return unusable('http-error', `status ${status}: redirects are not followed`);
  }
  if (typeof errorType === 'string') {
    return unusable('query-error', `status ${status}, errorType ${foreign(errorType)}`);
  }
  if (status !== 200) return unusable('http-error', `status ${status}`);
  return unusable('malformed', 'the answer is not that of a Prometheus query API');
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Foreign text for a message: printable ASCII, at most 120 characters. */
export const foreign = (value: unknown): string =>
  typeof value === 'string'
    ? value.slice(0, quotedLimit).replaceAll(/[^ -~]|["\\<>]/g, '?')
    : typeof value;

/**
 * Reads a sample's value. `Number` would take '' for 0 and '0x10' for 16; the source writes plain
 * decimals, `NaN`, `+Inf` or `-Inf`, and nothing else is a number here.
 */
export function readValue(text: string): number | undefined {
  if (text === 'NaN' || text === '+Inf' || text === '-Inf') return Number.NaN;
  return text.length <= 40 && /^[+-]?\d+(\.\d+)?([eE][+-]?\d{1,4})?$/.test(text)
    ? Number(text)
    : undefined;
}
