// npm run bench:analysis [-- --runs 2000] [-- --only detection,cost]
import { parseArgs } from 'node:util';
import { burstTable, capWindowTable } from './cap-window.ts';
import { costTable } from './cost.ts';
import { detectionTable } from './detection.ts';
import { falseAlarmTable } from './false-alarms.ts';
import { flinchTable, idleFlinchTable } from './flinch.ts';
import { jitterTable } from './jitter.ts';
import { latencyTable } from './latency.ts';
import { promotionPromiseTable, rollbackPromiseTable } from './promises.ts';
import { imageServiceTable, rolloutTable } from './rollouts.ts';
import { sickPodTable } from './sick-pod.ts';

const tables: Readonly<Record<string, readonly [string, (runs: number) => string]>> = {
  cost: ['Cost of one poll', () => costTable()],
  detection: ['Bad releases at a fixed weight: rolled back % / median s / failed', detectionTable],
  rollouts: ['Whole rollouts 1/5/10/25/50/100', rolloutTable],
  image: ['Image service, 800,000 requests a day', imageServiceTable],
  'cap-window': ['Window of the cap, 1 s polls', (runs) => capWindowTable(Math.min(runs, 500))],
  bursts: ['Window of the cap under bursts, an hour', (runs) => burstTable(Math.min(runs, 1000))],
  latency: ['Latency: rolled back % / median s / canary requests', latencyTable],
  flinch: [
    'Flinch: failed / s, by lower at / surprise / failed rps left',
    (runs) => flinchTable(runs / 5),
  ],
  'idle-flinch': ['Flinches an hour of healthy releases', (runs) => idleFlinchTable(runs / 20)],
  'sick-pod': ['One sick pod, or a bad release', (runs) => sickPodTable(Math.ceil(runs / 4))],
  jitter: ['Pods scraped at their own times', (runs) => jitterTable(Math.ceil(runs / 10))],
  'rollback-promise': ['On the tolerance line, 4 h: rolled back %', rollbackPromiseTable],
  'promotion-promise': ['At the promotion margin, 1 h: steps %', promotionPromiseTable],
  'false-alarms': ['Healthy releases, 1 h: false rollbacks %', falseAlarmTable],
};

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '2000' }, only: { type: 'string' } },
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 10) throw new Error('--runs needs a whole number from 10');
const wanted = values.only?.split(',') ?? Object.keys(tables);
for (const name of wanted) {
  const entry = tables[name];
  if (entry === undefined)
    throw new Error(`no table ${name}; use ${Object.keys(tables).join(', ')}`);
  const started = performance.now();
  const text = entry[1](runs);
  const took = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`\n## ${entry[0]} (${name}, ${runs} runs, ${took} s)\n\n${text}`);
}
