import { seconds } from '../lib/units.ts';
import type { Effects } from './effects.ts';

/** What was found out this long ago is looked at again before a write that rests upon it. */
const lately = seconds(1);
/** Where the API server takes longer every time, the last look must do. */
const looks = 3;

/** Looks again where that took long: what was read first may not be so any more. */
export async function lookLately<T>(
  look: () => Promise<T>,
  { clock }: Pick<Effects, 'clock'>,
): Promise<T> {
  for (let left = looks - 1; ; left -= 1) {
    const begun = clock.monotonic();
    const found = await look();
    if (left === 0 || clock.monotonic() - begun <= lately) return found;
  }
}
