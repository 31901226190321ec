import { burstTable, capWindowTable } from './cap-window.ts';
import { costTable } from './cost.ts';
import { detectionTable } from './detection.ts';
import { falseAlarmTable } from './false-alarms.ts';
import { flinchTable, idleFlinchTable } from './flinch.ts';
import { latencyFlinchTable } from './flinch-latency.ts';
import { jitterTable } from './jitter.ts';
import { latencyTable } from './latency.ts';
import { promotionPromiseTable, rollbackPromiseTable } from './promises.ts';
import { imageServiceTable, rolloutStudyTable, rolloutTable } from './rollouts.ts';
import { sickPodTable } from './sick-pod.ts';

export interface BenchTable {
  readonly name: string;
  readonly title: string;
  readonly make: (runs: number) => string;
  /** About how long it takes beside the others: the longest begin first. */
  readonly size: number;
}

/** In the order in which they are printed. */
export const tables: readonly BenchTable[] = [
  { name: 'cost', title: 'Cost of one poll, CPU time', make: () => costTable(), size: 2 },
  {
    name: 'detection',
    title: 'Bad releases at a fixed weight: rolled back % / median s / failed = the study',
    make: detectionTable,
    size: 120,
  },
  {
    name: 'rollouts-study',
    title: 'Whole rollouts: promoted % / rolled back % / median s / failed = the study',
    make: rolloutStudyTable,
    size: 20,
  },
  {
    name: 'rollouts',
    title: 'Whole rollouts 1/5/10/25/50/100 as shipped',
    make: rolloutTable,
    size: 50,
  },
  {
    name: 'image',
    title: 'Image service, 800,000 requests a day',
    make: imageServiceTable,
    size: 15,
  },
  {
    name: 'false-alarms',
    title: 'Healthy releases, 1 h: false rollbacks %, least–most over five kinds of traffic',
    make: falseAlarmTable,
    size: 300,
  },
  {
    name: 'cap-window',
    title: 'Window of the cap, 1 s polls',
    make: (runs) => capWindowTable(Math.min(runs, 500)),
    size: 5,
  },
  {
    name: 'bursts',
    title: 'Window of the cap under bursts, an hour',
    make: (runs) => burstTable(Math.min(runs, 1000)),
    size: 10,
  },
  {
    name: 'latency',
    title: 'Latency: rolled back % / median s / canary requests',
    make: (runs) => latencyTable(Math.ceil(runs / 2)),
    size: 80,
  },
  {
    name: 'flinch',
    title: 'Flinch: failed / s, by lower at / surprise / failed rps left',
    make: (runs) => flinchTable(Math.ceil(runs / 10)),
    size: 40,
  },
  {
    name: 'idle-flinch',
    title: 'Flinches an hour of healthy releases',
    make: (runs) => idleFlinchTable(Math.ceil(runs / 40)),
    size: 70,
  },
  {
    name: 'latency-flinch',
    title: 'Flinch on errors and latency together, 15 min at 100 rps',
    make: (runs) => latencyFlinchTable(Math.ceil(runs / 10)),
    size: 40,
  },
  {
    name: 'sick-pod',
    title: 'One sick pod, or a bad release',
    make: (runs) => sickPodTable(Math.ceil(runs / 4)),
    size: 10,
  },
  {
    name: 'jitter',
    title: 'Pods scraped at their own times',
    make: (runs) => jitterTable(Math.ceil(runs / 4)),
    size: 10,
  },
  {
    name: 'rollback-promise',
    title: 'On the tolerance line, 4 h: rolled back %',
    make: rollbackPromiseTable,
    size: 90,
  },
  {
    name: 'promotion-promise',
    title: 'At the promotion margin, 1 h: steps %',
    make: promotionPromiseTable,
    size: 60,
  },
];

/** One table as Markdown, with how long it took. */
export function printed({ name, title, make }: BenchTable, runs: number): string {
  const started = performance.now();
  const text = make(runs);
  const took = ((performance.now() - started) / 1000).toFixed(1);
  return `\n## ${title} (${name}, --runs ${runs}, ${took} s)\n\n${text}`;
}
