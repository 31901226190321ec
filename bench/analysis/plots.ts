// npm run bench:analysis:plots: writes the plots of docs/statistics.md, the same bytes every time.
import { mkdirSync, writeFileSync } from 'node:fs';
import { advance } from '../../src/analysis/advance.ts';
import { beginEvidence } from '../../src/analysis/evidence.ts';
import { defaultPolicy } from '../../src/analysis/policy.ts';
import { simulateRollout } from '../../src/analysis/simulate.ts';
import { simulatedTraffic } from '../../src/analysis/simulated-traffic.ts';
import { totalWealth } from '../../src/analysis/total.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { instant, percent } from '../../src/lib/units.ts';
import { compare, watchOurs } from './stream.ts';
import { type Plot, type PlotLine, svgPlot } from './svg.ts';
import { mean, quantile } from './table.ts';

const colors = ['#2f81f7', '#d1495b', '#e09f3e', '#3a9d5d', '#8e6bbf'];

function evidencePlot(): Plot {
  const cases = [
    ['healthy, 1 % errors in both', 0.01, 0.01],
    ['2 % errors, stable 0.1 %', 0.001, 0.02],
    ['5 % errors, stable 0.1 %', 0.001, 0.05],
    ['healthy through a shared outage at 60–90 s', 0.001, 0.001],
  ] as const;
  const lines = cases.map(([name, stableRate, canaryRate], i): PlotLine => {
    const outage = i === 3 ? { outage: { from: 60, to: 90, rate: 1 } } : {};
    const service = { rps: 100, stableRate, canaryRate, ...outage };
    return { name, color: colors[i] ?? '', points: evidenceOf(service, 10, 180) };
  });
  return {
    title: 'Evidence against the canary, 100 requests/s, 10 % weight, polls of 1 s',
    x: {
      label: 'seconds',
      scale: 'linear',
      from: 0,
      to: 180,
      ticks: [0, 30, 60, 90, 120, 150, 180],
    },
    y: { label: 'evidence', scale: 'log', from: 0.1, to: 1000, ticks: [0.1, 1, 10, 100, 1000] },
    marks: [
      { at: 100, text: 'roll back' },
      { at: 10, text: 'flinch' },
    ],
    lines,
  };
}

function evidenceOf(
  service: Parameters<typeof simulatedTraffic>[0],
  weight: number,
  length: number,
): readonly (readonly [number, number])[] {
  const traffic = simulatedTraffic(service, seededRandom(8));
  let state = beginEvidence(defaultPolicy);
  return Array.from({ length }, (_, k) => {
    const poll = {
      since: instant(k * 1000),
      at: instant((k + 1) * 1000),
      weight: percent(weight),
      step: 0,
      next: percent(25),
      priors: { errors: { badRates: [service.stableRate] } },
      checks: { errors: [traffic.counts(k, k + 1, weight / 100)] },
    };
    state = advance(state, poll, defaultPolicy);
    return [k + 1, totalWealth(state, defaultPolicy).wealth] as const;
  });
}

function promotionPlot(): Plot {
  const rates = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
  const ladders = [
    ['steps 1/5/10/25/50', [1, 5, 10, 25, 50]],
    ['steps 10/25/50', [10, 25, 50]],
  ] as const;
  const lines = ladders.flatMap(([name, steps], i): PlotLine[] => {
    const found = rates.map((rps) => {
      const service = { rps, stableRate: 0.001, canaryRate: 0.001 };
      const interval = rps < 20 ? 5 : 1;
      const rollout = {
        service,
        steps: steps.map(percent),
        interval,
        settling: 2,
        horizon: 86_400,
      };
      return Array.from({ length: 60 }, (_, seed) =>
        simulateRollout(rollout, defaultPolicy, seededRandom(seed + 1)),
      ).map(({ seconds }) => seconds);
    });
    const line = (share: number) =>
      rates.map((rps, k) => [rps, quantile(found[k] ?? [], share) / 60] as const);
    const color = colors[i] ?? '';
    return [
      { name: `${name}, median`, color, points: line(0.5) },
      { name: `${name}, 90 %`, color, points: line(0.9), dashed: true },
    ];
  });
  return {
    title: 'Time to promote a release as good as stable (0.1 % errors)',
    x: {
      label: 'requests a second of the service',
      scale: 'log',
      from: 1,
      to: 1000,
      ticks: [1, 10, 100, 1000],
    },
    y: { label: 'minutes', scale: 'log', from: 0.5, to: 1000, ticks: [1, 10, 100, 1000] },
    lines,
  };
}

function harmPlot(): Plot {
  const faults = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
  const names = ['Haldane', 'Argo 0', 'Argo 3', 'Flagger'];
  const found = faults.map((canaryRate) => {
    const service = { rps: 100, stableRate: 0.001, canaryRate };
    const options = { service, weight: 10, interval: 5, horizon: 3600 };
    const results = compare(options, 60, {
      Haldane: (stream) => watchOurs(stream, 10, { badRates: [0.001] }),
    });
    return new Map(results.map(({ name, failed }) => [name, mean(failed)]));
  });
  return {
    title: 'Requests failed until rollback, 100 requests/s, 10 % weight, polls of 5 s',
    x: {
      label: 'errors of the canary in % (stable 0.1 %)',
      scale: 'log',
      from: 1,
      to: 100,
      ticks: [1, 2, 5, 10, 20, 50, 100],
    },
    y: {
      label: 'failed requests',
      scale: 'log',
      from: 1,
      to: 10_000,
      ticks: [1, 10, 100, 1000, 10_000],
    },
    lines: names.map((name, i) => ({
      name,
      color: colors[i] ?? '',
      points: faults.map((fault, k) => [fault * 100, found[k]?.get(name) ?? 1] as const),
    })),
  };
}

const target = new URL('../../docs/statistics/', import.meta.url);
mkdirSync(target, { recursive: true });
const plots = { evidence: evidencePlot, promotion: promotionPlot, harm: harmPlot };
for (const [name, make] of Object.entries(plots)) {
  writeFileSync(new URL(`${name}.svg`, target), svgPlot(make()));
}
