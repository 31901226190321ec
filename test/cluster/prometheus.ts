import { rename, writeFile } from 'node:fs/promises';
import { request } from 'undici';
import { waitUntil } from './api.ts';
import { type ClusterFiles, endpoints } from './components.ts';

/** A series and its value(s) as Prometheus' HTTP API gives them. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  /** [seconds since 1970, value as text] */
  readonly value: readonly [number, string];
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

/** What Prometheus scrapes and evaluates besides Traefik and annotated pods. */
export interface PrometheusSettings {
  readonly scrapeInterval: string;
  /** Absolute paths of rule files. */
  readonly ruleFiles?: readonly string[];
  /** Further jobs: name → `host:port` of each target. */
  readonly targets?: Readonly<Record<string, readonly string[]>>;
}

export interface Prometheus {
  readonly url: string;
  /** Instant query; throws with Prometheus' own words when it is refused. */
  query(expression: string): Promise<readonly Sample[]>;
  /** Value of the only series an expression gives; NaN when there is none. */
  value(expression: string): Promise<number>;
  range(expression: string, from: Date, to: Date, stepSeconds: number): Promise<readonly Series[]>;
  /** Waits until an expression gives at least one sample that `condition` accepts. */
  until(
    expression: string,
    condition?: (samples: readonly Sample[]) => boolean,
    timeout?: number,
  ): Promise<readonly Sample[]>;
  /** Replaces the configuration and reloads it; what is not named goes back to the default. */
  configure(settings: PrometheusSettings): Promise<void>;
}

interface ApiAnswer {
  readonly status: 'success' | 'error';
  readonly error?: string;
  readonly data?: { readonly result: unknown };
}

async function ask(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
  const { body } = await request(`${endpoints.prometheus}/api/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(parameters).toString(),
  });
  const answer = (await body.json()) as ApiAnswer;
  if (answer.status !== 'success') {
    throw new Error(`Prometheus refuses ${parameters['query']}: ${answer.error}`);
  }
  return answer.data?.result;
}

/** Client of the cluster's Prometheus. */
export function openPrometheus(files: ClusterFiles): Prometheus {
  const query = async (expression: string) =>
    (await ask('query', { query: expression })) as readonly Sample[];
  return {
    url: endpoints.prometheus,
    query,
    value: async (expression) => {
      const samples = await query(expression);
      if (samples.length > 1) throw new Error(`${expression} gives ${samples.length} series`);
      return Number(samples[0]?.value[1] ?? Number.NaN);
    },
    range: async (expression, from, to, stepSeconds) =>
      (await ask('query_range', {
        query: expression,
        start: String(from.getTime() / 1000),
        end: String(to.getTime() / 1000),
        step: String(stepSeconds),
      })) as readonly Series[],
    until: async (expression, condition = (samples) => samples.length > 0, timeout = 30_000) => {
      let samples: readonly Sample[] = [];
      await waitUntil(
        async () => {
          samples = await query(expression);
          return condition(samples);
        },
        {
          what: () => `${expression}; last answer ${JSON.stringify(samples)}`,
          timeout,
          every: 250,
        },
      );
      return samples;
    },
    configure: async (settings) => {
      await writePrometheusConfig(files.prometheusConfig, settings, files.scrapeTargets);
      const reload = `${endpoints.prometheus}/-/reload`;
      const { statusCode, body } = await request(reload, { method: 'POST' });
      const said = await body.text();
      if (statusCode !== 200) throw new Error(`Prometheus refuses its configuration: ${said}`);
    },
  };
}

/** Writes a configuration file. JSON is YAML. */
export async function writePrometheusConfig(
  file: string,
  settings: PrometheusSettings,
  scrapeTargets: string,
): Promise<void> {
  const jobs = Object.entries({
    traefik: [endpoints.traefikMetrics],
    ...settings.targets,
  }).map(([name, targets]) => ({ job_name: name, static_configs: [{ targets }] }));
  const config = {
    global: {
      scrape_interval: settings.scrapeInterval,
      scrape_timeout: settings.scrapeInterval,
      evaluation_interval: settings.scrapeInterval,
    },
    rule_files: settings.ruleFiles ?? [],
    scrape_configs: [...jobs, podJob(scrapeTargets)],
  };
  await writeFile(`${file}.new`, JSON.stringify(config, null, 2));
  await rename(`${file}.new`, file);
}

/** Pods say by annotation that they want to be scraped, as in the usual set-ups of users. */
function podJob(scrapeTargets: string) {
  const annotation = '__meta_kubernetes_pod_annotation_prometheus_io';
  const copy = (from: string, to: string) => ({ source_labels: [from], target_label: to });
  return {
    job_name: 'pods',
    file_sd_configs: [{ files: [scrapeTargets] }],
    relabel_configs: [
      { source_labels: [`${annotation}_scrape`], regex: 'true', action: 'keep' },
      {
        source_labels: ['__meta_kubernetes_pod_phase'],
        regex: 'Pending|Succeeded|Failed',
        action: 'drop',
      },
      {
        source_labels: ['__address__', `${annotation}_port`],
        regex: '([^:]+)(?::\\d+)?;(\\d+)',
        replacement: '$1:$2',
        target_label: '__address__',
      },
      copy('__meta_kubernetes_namespace', 'namespace'),
      copy('__meta_kubernetes_pod_name', 'pod'),
      copy('__meta_kubernetes_pod_label_pod_template_hash', 'pod_template_hash'),
    ],
  };
}
