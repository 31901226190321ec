import { app, byRollout, here, perCheck, perRollout, type Section, target } from './panel.ts';

export const now: Section = {
  title: 'Now',
  panels: [
    {
      title: 'Rollouts under way',
      about: 'Canaries that take or are about to take traffic.',
      form: 'number',
      unit: 'none',
      width: 4,
      targets: [target('max(haldane_active_rollouts)', 'under way')],
    },
    {
      title: 'Held',
      about: 'Rollouts whose weight is not raised because they cannot be judged.',
      form: 'number',
      unit: 'none',
      width: 4,
      targets: [
        target(`count(max by (${byRollout}) (haldane_rollout_hold{${here}})) or vector(0)`, 'held'),
      ],
    },
    {
      title: 'Rolled back',
      about: 'Revisions taken back in the time shown.',
      form: 'number',
      unit: 'none',
      width: 4,
      targets: [
        target(
          'sum(increase(haldane_rollbacks_total{namespace=~"$namespace"}[$__range]))',
          'rolled back',
        ),
      ],
    },
    {
      title: 'Promoted',
      about: 'Revisions that took over in the time shown.',
      form: 'number',
      unit: 'none',
      width: 4,
      targets: [
        target(
          'sum(increase(haldane_promotions_total{namespace=~"$namespace"}[$__range]))',
          'promoted',
        ),
      ],
    },
    {
      title: 'Opted-in Deployments',
      about: 'Deployments with haldane.dev/enabled.',
      form: 'number',
      unit: 'none',
      width: 4,
      targets: [target('max(haldane_opted_in_deployments)', 'opted in')],
    },
    {
      title: 'Leaders',
      about: 'Replicas of Haldane that hold the lease: must be 1.',
      form: 'number',
      unit: 'none',
      width: 4,
      targets: [target('sum(haldane_leader)', 'leaders')],
    },
    {
      title: 'Phases',
      about: 'Every rollout with its phase, weight and step, and why it is held.',
      form: 'table',
      unit: 'none',
      width: 24,
      targets: [
        {
          ...target(`max by (${byRollout}, phase) (haldane_rollout_phase{${here}})`, 'phase'),
          info: true,
        },
        perRollout('haldane_canary_weight_percent', 'weight %'),
        perRollout('haldane_rollout_step', 'step'),
        perRollout('haldane_rollout_steps', 'of'),
        perRollout('haldane_canary_requests', 'requests'),
        perRollout('haldane_canary_failed_requests', 'failed'),
        {
          ...target(
            `max by (${byRollout}, reason) (haldane_rollout_hold{${here}})`,
            'held',
            'hold',
          ),
          info: true,
        },
      ],
    },
  ],
};

export const rollouts: Section = {
  title: 'Rollouts',
  panels: [
    {
      title: 'Weight of the canary',
      about: 'Share of the requests that the route gives to the canary, as observed.',
      form: 'lines',
      unit: 'percent',
      width: 12,
      steps: true,
      targets: [perRollout('haldane_canary_weight_percent')],
    },
    {
      title: 'Step',
      about: 'Step under way, 1-based.',
      form: 'lines',
      unit: 'none',
      width: 12,
      steps: true,
      targets: [perRollout('haldane_rollout_step')],
    },
    {
      title: 'Canary against stable',
      about: 'Value of each check in both, over the same time. The margin is in the profile.',
      form: 'lines',
      unit: 'percentunit',
      width: 12,
      targets: [
        perCheck('haldane_check_canary_ratio', 'canary'),
        perCheck('haldane_check_stable_ratio', 'stable'),
      ],
    },
    {
      title: 'Requests of the canary',
      about: 'Users that met the canary, and those it failed.',
      form: 'lines',
      unit: 'none',
      width: 12,
      targets: [
        perRollout('haldane_canary_requests', `${app} answered`),
        perRollout('haldane_canary_failed_requests', `${app} failed`),
      ],
    },
    {
      title: 'Evidence that the canary is worse',
      about: 'Rolled back when it reaches the threshold; a healthy canary stays near 1 or falls.',
      form: 'lines',
      unit: 'none',
      width: 12,
      logarithmic: true,
      targets: [
        perCheck('haldane_check_evidence', ''),
        perCheck('haldane_check_evidence_threshold', 'threshold'),
      ],
    },
    {
      title: 'Evidence that the next weight is safe',
      about: 'The step passes when it reaches the threshold.',
      form: 'lines',
      unit: 'none',
      width: 12,
      logarithmic: true,
      targets: [
        perCheck('haldane_check_promotion_evidence', ''),
        perCheck('haldane_check_promotion_evidence_threshold', 'threshold'),
      ],
    },
    {
      title: 'Excess of the canary',
      about: 'Interval of canary less stable, valid whenever it is read. Above 0: worse.',
      form: 'lines',
      unit: 'percentunit',
      width: 12,
      targets: [
        perCheck('haldane_check_excess_low', 'at least'),
        perCheck('haldane_check_excess_high', 'at most'),
      ],
    },
    {
      title: 'Verdicts',
      about: '1 pass, 0 inconclusive, -1 fail.',
      form: 'lines',
      unit: 'none',
      width: 12,
      steps: true,
      targets: [perCheck('haldane_check_verdict', '')],
    },
  ],
};

export const outcomes: Section = {
  title: 'Outcomes',
  panels: [
    {
      title: 'Rollbacks by rule',
      about: 'Which rule decided.',
      form: 'bars',
      unit: 'none',
      width: 8,
      targets: [
        target(
          'sum by (rule) (increase(haldane_rollbacks_total{namespace=~"$namespace"}' +
            '[$__rate_interval]))',
          '{{rule}}',
        ),
      ],
    },
    {
      title: 'Time held, by reason',
      about: 'Rollouts held at a time, on average. Long bars name what keeps releases waiting.',
      form: 'bars',
      unit: 'none',
      width: 8,
      targets: [
        target(
          'sum by (reason) (rate(haldane_hold_seconds_total{namespace=~"$namespace"}' +
            '[$__rate_interval]))',
          '{{reason}}',
          'hold',
        ),
      ],
    },
    {
      title: 'Time of a rollout',
      about: 'Half of the rollouts took less.',
      form: 'lines',
      unit: 's',
      width: 8,
      targets: [
        target(
          'histogram_quantile(0.5, sum by (le, outcome) ' +
            '(increase(haldane_rollout_duration_seconds_bucket[$__range])))',
          '{{outcome}}',
          'end-of-rollout',
        ),
      ],
    },
    {
      title: 'Last rollbacks',
      about: 'When each Deployment was last rolled back.',
      form: 'table',
      unit: 'dateTimeFromNow',
      width: 24,
      targets: [
        target(
          `max by (${byRollout}, rule) (haldane_last_rollback_timestamp_seconds{${here}}) * 1000`,
          'when',
          'rollback',
        ),
      ],
    },
  ],
};
