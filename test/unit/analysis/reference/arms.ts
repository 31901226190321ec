/**
 * Uniform numbers of the Mersenne Twister from a 32-bit seed, in 53 bits.
 * Source: Matsumoto and Nishimura 1998; the seeding is theirs of 2002.
 */
function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i += 1) {
    const before = state[i - 1] ?? 0;
    state[i] = Math.imul(1_812_433_253, before ^ (before >>> 30)) + i;
  }
  let index = 624;
  const refill = () => {
    for (let i = 0; i < 624; i += 1) {
      const y = ((state[i] ?? 0) & 0x80000000) | ((state[(i + 1) % 624] ?? 0) & 0x7fffffff);
      state[i] = (state[(i + 397) % 624] ?? 0) ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    index = 0;
  };
  const word = () => {
    if (index === 624) refill();
    let y = state[index] ?? 0;
    index += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  return () => ((word() >>> 5) * 67_108_864 + (word() >>> 6)) / 9_007_199_254_740_992;
}

/**
 * Arms that NumPy draws one by one with `numpy.random.seed(seed)` and `multinomial(1, shares)`:
 * each arm in turn is a trial of its share of what is left, the likelier outcome at small numbers.
 */
export function drawnArms(
  seed: number,
  shares: readonly number[],
  size: number,
): readonly number[] {
  const uniform = mersenneTwister(seed);
  return Array.from({ length: size }, () => {
    let left = 1;
    for (let arm = 0; arm < shares.length - 1; arm += 1) {
      const p = (shares[arm] ?? 0) / left;
      const hit = p <= 0.5 ? uniform() > 1 - p : uniform() <= p;
      if (hit) return arm;
      left -= shares[arm] ?? 0;
    }
    return shares.length - 1;
  });
}
