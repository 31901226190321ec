// Restarts for people: a count in the time that pods have lived together, or a rate per pod and
// hour. What is counted and stored are pod-seconds.

const hour = 3600;

/** `3 restarts in 0.4 pod-hours`. */
export const countWords = ({ bad, total }: { readonly bad: number; readonly total: number }) =>
  `${bad} ${bad === 1 ? 'restart' : 'restarts'} in ${podHours(total)} pod-hours`;

/** `0.4`, `12`: pod-seconds as pod-hours. */
export const podHours = (podSeconds: number): string => short(podSeconds / hour);

/** `7.5 per pod-hour`, from restarts per pod-second. */
export const rateWords = (perPodSecond: number): string =>
  `${short(perPodSecond * hour)} per pod-hour`;

/** Two digits that tell something. */
function short(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return '0';
  return value >= 10 ? value.toFixed(0) : String(Number(value.toPrecision(2)));
}
