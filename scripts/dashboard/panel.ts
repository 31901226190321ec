/** Until when a query may give nothing: most give something as soon as one rollout is under way. */
export type Needs =
  | 'rollout'
  | 'evidence'
  | 'hold'
  | 'rollback'
  | 'end-of-rollout'
  | 'notice'
  | 'error';

export interface Target {
  readonly query: string;
  /** Text per series, with `{{label}}`. */
  readonly legend: string;
  readonly needs: Needs;
  /** The label is the value; a table does not show the 1 beside it. */
  readonly info?: boolean;
}

export interface Panel {
  readonly title: string;
  /** What a reader learns from it, and what to do when it looks wrong. */
  readonly about: string;
  readonly form: 'number' | 'lines' | 'bars' | 'table';
  /** Grafana's name of the unit. */
  readonly unit: string;
  /** Of the 24 columns. */
  readonly width: number;
  readonly targets: readonly Target[];
  readonly logarithmic?: boolean;
  /** Lines that go from value to value without slope. */
  readonly steps?: boolean;
}

export interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export const here = 'namespace=~"$namespace",deployment=~"$deployment"';
export const byRollout = 'namespace, deployment';
export const app = '{{namespace}}/{{deployment}}';

export const target = (query: string, legend: string, needs: Needs = 'rollout'): Target => ({
  query,
  legend,
  needs,
});
export const perRollout = (metric: string, legend = app): Target =>
  target(`max by (${byRollout}) (${metric}{${here}})`, legend);
export const perCheck = (metric: string, legend: string): Target =>
  target(
    `max by (${byRollout}, check) (${metric}{${here}})`,
    `${app} {{check}} ${legend}`.trim(),
    'evidence',
  );
export const quantile = (
  q: number,
  metric: string,
  by: string,
  legend: string,
  needs: Needs,
): Target =>
  target(
    `histogram_quantile(${q}, sum by (le${by === '' ? '' : `, ${by}`}) ` +
      `(rate(${metric}_bucket[$__rate_interval])))`,
    legend,
    needs,
  );
/** Of Node's own metrics only those of our processes. */
export const ours = (metric: string): string =>
  `${metric} and on (job, instance) haldane_build_info`;
