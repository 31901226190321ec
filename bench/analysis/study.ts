/** Rolled back in %, median seconds, mean failed canary requests; null: hardly ever. */
export type StudyCell = readonly [found: number, seconds: number, failed: number] | null;

/** Rules in the order of the tables. */
export const studyRules = ['Flagger', 'Argo 0', 'Argo 1', 'Argo 3', 'Kayenta', 'Haldane'] as const;

/** Runs behind each figure of the design study, a program of its own in another language. */
export const studyRuns = 2000;

const cell = (text: string): StudyCell => {
  const [found, seconds, failed] = text.split('/').map(Number);
  return found === undefined || seconds === undefined || failed === undefined
    ? null
    : [found, seconds, failed];
};

/** Stable's and the canary's errors in %, rps, weight: the six rules. */
const rows = `
0.1 1   9.26 1  | – 42/300/1 9/420/2 0/540/4 – 4/2092/6
0.1 1   9.26 10 | 79/660/7 99/120/1 96/240/3 67/420/5 34/3000/30 80/1950/20
0.1 1   100  1  | 83/660/7 100/120/1 98/240/3 74/420/5 2/1200/25 84/1805/20
0.1 1   100  10 | 86/660/66 100/120/13 99/240/25 78/420/45 100/600/61 100/240/26
0.1 1   1000 1  | 87/660/66 100/120/13 98/240/25 77/420/45 100/600/61 100/225/25
0.1 1   1000 10 | 90/600/631 100/120/119 99/240/236 82/420/432 100/600/600 100/35/36
0.1 2   9.26 1  | 1/840/5 67/240/1 29/420/2 1/540/4 – 38/2115/6
0.1 2   9.26 10 | 100/480/9 100/60/2 100/180/3 98/360/7 86/1800/37 100/500/10
0.1 2   100  1  | 100/480/10 100/60/2 100/180/3 99/300/7 91/1800/36 100/430/10
0.1 2   100  10 | 100/360/74 100/60/12 100/120/25 100/240/49 100/600/120 100/60/13
0.1 2   1000 1  | 100/360/74 100/60/12 100/120/25 100/240/50 100/600/120 100/55/12
0.1 2   1000 10 | 100/360/720 100/60/120 100/120/240 100/240/480 100/600/1199 100/15/33
0.1 5   9.26 1  | 25/780/6 94/180/1 74/300/2 22/540/5 0/2400/19 99/910/5
0.1 5   9.26 10 | 100/360/18 100/60/3 100/120/6 100/240/12 100/600/31 100/115/6
0.1 5   100  1  | 100/360/19 100/60/3 100/120/6 100/240/13 100/600/33 100/100/6
0.1 5   100  10 | 100/360/180 100/60/30 100/120/60 100/240/120 100/600/300 100/20/11
0.1 5   1000 1  | 100/360/180 100/60/30 100/120/60 100/240/120 100/600/300 100/20/11
0.1 5   1000 10 | 100/360/1800 100/60/300 100/120/600 100/240/1200 100/600/3000 100/15/75
0.1 50  9.26 1  | 100/360/18 100/60/3 100/120/6 100/240/12 100/600/31 100/65/3
0.1 50  9.26 10 | 100/360/167 100/60/28 100/120/56 100/240/111 100/600/278 100/20/9
0.1 50  100  1  | 100/360/180 100/60/30 100/120/60 100/240/120 100/600/300 100/15/8
0.1 50  100  10 | 100/360/1799 100/60/299 100/120/599 100/240/1199 100/600/2999 100/15/75
0.1 50  1000 1  | 100/360/1801 100/60/300 100/120/601 100/240/1201 100/600/3001 100/15/75
0.1 50  1000 10 | 100/360/17999 100/60/2999 100/120/6000 100/240/11997 100/600/29995 100/15/750
0.1 100 9.26 1  | 100/360/33 100/60/6 100/120/11 100/240/22 100/600/56 100/35/4
0.1 100 9.26 10 | 100/360/333 100/60/55 100/120/111 100/240/221 100/600/555 100/15/14
0.1 100 100  1  | 100/360/360 100/60/60 100/120/120 100/240/240 100/600/600 100/15/15
0.1 100 100  10 | 100/360/3599 100/60/600 100/120/1200 100/240/2400 100/600/6000 100/15/150
0.1 100 1000 1  | 100/360/3600 100/60/600 100/120/1200 100/240/2400 100/600/6000 100/15/150
1 2   9.26 1  | 1/840/5 67/240/1 28/420/2 2/540/4 – 0/2685/13
1 2   9.26 10 | 100/480/9 100/60/2 100/180/3 98/360/7 64/2400/43 7/2225/54
1 2   100  1  | 100/480/10 100/60/2 100/180/3 99/300/7 92/1800/37 10/2545/61
1 2   100  10 | 100/360/74 100/60/12 100/120/25 100/240/50 100/600/132 100/1140/240
1 2   1000 1  | 100/360/74 100/60/12 100/120/25 100/240/50 100/600/137 100/1015/217
1 2   1000 10 | 100/360/720 100/60/120 100/120/240 100/240/480 100/600/1200 100/130/270
1 5   9.26 1  | 24/780/6 94/180/1 74/360/2 21/480/5 – 63/2080/12
1 5   9.26 10 | 100/360/18 100/60/3 100/120/6 100/240/12 100/600/37 100/385/19
1 5   100  1  | 100/360/19 100/60/3 100/120/6 100/240/13 100/600/42 100/310/17
1 5   100  10 | 100/360/180 100/60/30 100/120/60 100/240/120 100/600/300 100/45/25
1 5   1000 1  | 100/360/180 100/60/30 100/120/60 100/240/120 100/600/300 100/40/22
1 5   1000 10 | 100/360/1801 100/60/300 100/120/600 100/240/1200 100/600/3001 100/15/77`;

export interface DetectionRow {
  readonly stableRate: number;
  readonly canaryRate: number;
  readonly rps: number;
  readonly weight: number;
  readonly rules: readonly StudyCell[];
}

/** § 4.1 of the study: faults at a fixed weight. */
export const detectionStudy: readonly DetectionRow[] = rows
  .trim()
  .split('\n')
  .map((row) => {
    const [setting = '', figures = ''] = row.split('|');
    const [base = 0, errors = 0, rps = 0, weight = 0] = setting.trim().split(/\s+/).map(Number);
    const rules = figures.trim().split(/\s+/).map(cell);
    return { stableRate: base / 100, canaryRate: errors / 100, rps, weight, rules };
  });

export interface RolloutRow {
  readonly stableRate: number;
  readonly canaryRate: number;
  readonly rps: number;
  /** Promoted in %, rolled back in %, median seconds, mean failed requests. */
  readonly ours: readonly [number, number, number, number];
  readonly flagger: readonly [number, number, number, number];
}

const rollout = (
  [stablePercent, canaryPercent, rps]: readonly [number, number, number],
  ours: RolloutRow['ours'],
  flagger: RolloutRow['flagger'],
): RolloutRow => ({
  stableRate: stablePercent / 100,
  canaryRate: canaryPercent / 100,
  rps,
  ours,
  flagger,
});

/** § 4.2 of the study: whole rollouts, ours 1/5/10/25/50, Flagger 10 to 50 by 10. */
export const rolloutStudy: readonly RolloutRow[] = [
  rollout([0.1, 0.1, 9.26], [100, 0, 1215, 2], [100, 0, 300, 1]),
  rollout([0, 0, 9.26], [100, 0, 1110, 0], [100, 0, 300, 0]),
  rollout([1, 1, 9.26], [100, 0.05, 1810, Number.NaN], [65, 35, Number.NaN, Number.NaN]),
  rollout([1, 1, 1000], [100, 0, 150, Number.NaN], [52, 48, Number.NaN, Number.NaN]),
  rollout([0.1, 1, 9.26], [0, 100, 2185, 25], [65, 35, 480, 13]),
  rollout([0.1, 1, 100], [0, 100, 235, 28], [53, 47, 480, 133]),
  rollout([0.1, 5, 9.26], [0, 100, 740, 5], [0, 100, 360, 21]),
  rollout([0.1, 5, 100], [0, 100, 85, 7], [0, 100, 360, 180]),
  rollout([0.1, 100, 9.26], [0, 100, 35, 4], [0, 100, 360, 333]),
  rollout([0.1, 100, 100], [0, 100, 15, 15], [0, 100, 360, 3598]),
];

/** § 4.3 of the study: rules in the order of {@link stressStudy}. */
export const stressRules = [
  'Flagger',
  'Argo 0',
  'Argo 3',
  'Kayenta',
  'peeked z',
  'Haldane φ=1',
  'Haldane φ̂',
] as const;

/** § 4.3 and the A/A table of § 4.1: the most false rollbacks in % in any of ten cells, by rule. */
export const stressStudy: Readonly<Record<string, readonly number[]>> = {
  'independent errors': [91, 100, 82, 2, 18, 0, 0],
  'outage 60 s, +20 %': [95, 100, 90, 2, 14, 0.05, 0.05],
  'outage 5 min, +5 %': [100, 100, 100, 0, 18, 0, 0],
  'outage 30 s, 100 %': [95, 100, 90, 1.4, 16, 0, 0],
  'bursts of 5': [85, 100, 77, 0.2, 77, 12, 0.45],
  'pods vary, CV 0.7': [81, 99, 71, 0.4, 71, 37, 0.05],
  'pods vary, CV 1.4': [64, 99, 54, 0.05, 79, 95, 0.05],
};
