import { ours, quantile, type Section, target } from './panel.ts';

export const reaction: Section = {
  title: 'Reaction',
  panels: [
    {
      title: 'From verdict to route',
      about: 'p99 of the time until the write of the route is accepted. Promise for a cut: 250 ms.',
      form: 'lines',
      unit: 's',
      width: 8,
      targets: [
        quantile(0.99, 'haldane_verdict_to_route_seconds', 'change', '{{change}} p99', 'evidence'),
      ],
    },
    {
      title: 'From the first failed request to weight 0',
      about: 'Half of the cut canaries had less.',
      form: 'lines',
      unit: 's',
      width: 8,
      targets: [quantile(0.5, 'haldane_first_failure_to_cut_seconds', '', 'p50', 'rollout')],
    },
    {
      title: 'Decisions by rule',
      about: 'Passes per second.',
      form: 'lines',
      unit: 'ops',
      width: 8,
      targets: [
        target('sum by (rule) (rate(haldane_decisions_total[$__rate_interval]))', '{{rule}}'),
      ],
    },
  ],
};

export const asked: Section = {
  title: 'What Haldane asks of others',
  panels: [
    {
      title: 'Prometheus queries',
      about: 'By outcome; everything but ok holds rollouts.',
      form: 'lines',
      unit: 'reqps',
      width: 8,
      targets: [
        target(
          'sum by (source, outcome) (rate(haldane_prometheus_queries_total[$__rate_interval]))',
          '{{source}} {{outcome}}',
          'evidence',
        ),
      ],
    },
    {
      title: 'Time of a read of a source',
      about: 'p99 of one batch of queries.',
      form: 'lines',
      unit: 's',
      width: 8,
      targets: [
        quantile(
          0.99,
          'haldane_prometheus_read_duration_seconds',
          'source',
          '{{source}} p99',
          'evidence',
        ),
      ],
    },
    {
      title: 'Requests to the Kubernetes API',
      about: 'At rest there are none but those of the lease.',
      form: 'lines',
      unit: 'reqps',
      width: 8,
      targets: [
        target(
          'sum by (verb, resource) (rate(haldane_kubernetes_requests_total[$__rate_interval]))',
          '{{verb}} {{resource}}',
        ),
      ],
    },
    {
      title: 'Requests that failed',
      about: '409 is somebody else at the same object, tried again. 403 is a missing permission.',
      form: 'lines',
      unit: 'reqps',
      width: 8,
      targets: [
        target(
          'sum by (verb, resource, code) ' +
            '(rate(haldane_kubernetes_requests_total{code!~"2.."}[$__rate_interval]))',
          '{{verb}} {{resource}} {{code}}',
          'error',
        ),
      ],
    },
    {
      title: 'Time of a request to the Kubernetes API',
      about: 'p99 by verb.',
      form: 'lines',
      unit: 's',
      width: 8,
      targets: [
        quantile(
          0.99,
          'haldane_kubernetes_request_duration_seconds',
          'verb',
          '{{verb}} p99',
          'rollout',
        ),
      ],
    },
    {
      title: 'Watches',
      about: 'Time since anything came, and watches begun again.',
      form: 'lines',
      unit: 's',
      width: 8,
      targets: [
        target('max by (resource) (haldane_watch_staleness_seconds)', '{{resource}} silent for'),
        target(
          'sum by (resource, reason) (increase(haldane_watch_restarts_total[$__rate_interval]))',
          '{{resource}} begun again: {{reason}}',
          'error',
        ),
      ],
    },
    {
      title: 'Notices',
      about: 'Tries by outcome. What was given up or dropped, nobody has read.',
      form: 'bars',
      unit: 'none',
      width: 12,
      targets: [
        target(
          'sum by (notifier, outcome) (increase(haldane_notices_total[$__rate_interval]))',
          '{{notifier}} {{outcome}}',
          'notice',
        ),
      ],
    },
    {
      title: 'Notices waiting',
      about: 'More than 0 for long: the other side does not accept them.',
      form: 'lines',
      unit: 'none',
      width: 12,
      targets: [target('max by (notifier) (haldane_outbox_depth)', '{{notifier}}', 'notice')],
    },
  ],
};

export const controller: Section = {
  title: 'The controller itself',
  panels: [
    {
      title: 'Work queue',
      about: 'Deployments waiting for a pass, and p99 of how long they wait.',
      form: 'lines',
      unit: 'none',
      width: 8,
      targets: [
        target('max(haldane_work_queue_depth)', 'waiting'),
        quantile(0.99, 'haldane_work_queue_wait_seconds', '', 'wait p99, seconds', 'rollout'),
      ],
    },
    {
      title: 'Time of a pass',
      about: 'p99 over all Deployments.',
      form: 'lines',
      unit: 's',
      width: 8,
      targets: [
        quantile(
          0.99,
          'haldane_reconcile_duration_seconds',
          'outcome',
          '{{outcome}} p99',
          'rollout',
        ),
      ],
    },
    {
      title: 'Errors',
      about: 'Passes that ended in an error, by its code. Conflicts are tried again and harmless.',
      form: 'lines',
      unit: 'ops',
      width: 8,
      targets: [
        target('sum by (code) (rate(haldane_errors_total[$__rate_interval]))', '{{code}}', 'error'),
      ],
    },
    {
      title: 'Memory',
      about: 'Resident set of each replica.',
      form: 'lines',
      unit: 'bytes',
      width: 8,
      targets: [target(ours('process_resident_memory_bytes'), '{{instance}}')],
    },
    {
      title: 'Processor',
      about: 'Cores in use by each replica.',
      form: 'lines',
      unit: 'none',
      width: 8,
      targets: [target(ours('rate(process_cpu_seconds_total[$__rate_interval])'), '{{instance}}')],
    },
    {
      title: 'Lag of the event loop',
      about: 'p99. Beyond 50 ms something blocks it.',
      form: 'lines',
      unit: 's',
      width: 8,
      targets: [target(ours('nodejs_eventloop_lag_p99_seconds'), '{{instance}}')],
    },
    {
      title: 'Started canaries',
      about: 'Per namespace.',
      form: 'bars',
      unit: 'none',
      width: 12,
      targets: [
        target(
          'sum by (namespace) (increase(haldane_rollouts_started_total{namespace=~"$namespace"}' +
            '[$__rate_interval]))',
          '{{namespace}}',
        ),
      ],
    },
    {
      title: 'Builds',
      about: 'Which build each replica runs.',
      form: 'table',
      unit: 'none',
      width: 12,
      targets: [target('haldane_build_info', 'build')],
    },
  ],
};
