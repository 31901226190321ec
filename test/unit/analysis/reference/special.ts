/** ln Γ(x) for x > 0. Source: Lanczos 1964, g = 7, n = 9. */
export function lnGamma(x: number): number {
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406,
    12.507343278686905, -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - lnGamma(1 - x);
  const shifted = x - 1;
  const sum = coefficients.reduce((a, c, i) => a + c / (shifted + i + 1), 0.9999999999998099);
  const t = shifted + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(t) - t + Math.log(sum);
}

/** ln of the incomplete beta integral from 0 to x. Source: DLMF 8.17.22, by modified Lentz. */
export function lnIncompleteBeta(a: number, b: number, x: number): number {
  const whole = lnGamma(a) + lnGamma(b) - lnGamma(a + b);
  if (x >= 1) return whole;
  const front = a * Math.log(x) + b * Math.log1p(-x);
  if (x > (a + 1) / (a + b + 2)) {
    const rest = (Math.exp(front - whole) * fraction(b, a, 1 - x)) / b;
    return whole + Math.log1p(-rest);
  }
  return front + Math.log(fraction(a, b, x)) - Math.log(a);
}

function fraction(a: number, b: number, x: number): number {
  let [c, d] = [1, 1 / (1 - ((a + b) * x) / (a + 1))];
  let result = d;
  for (let m = 1; m < 1000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    for (const term of [even, odd]) {
      d = 1 / (1 + term * d);
      c = 1 + term / c;
      result *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return result;
}

/** Where a falling or rising function crosses zero between two ends of different sign. */
export function root(f: (x: number) => number, from: number, to: number): number {
  let [a, b] = [from, to];
  const rising = f(a) < 0;
  for (let i = 0; i < 200; i += 1) {
    const middle = (a + b) / 2;
    if (f(middle) < 0 === rising) a = middle;
    else b = middle;
  }
  return (a + b) / 2;
}

/** Upper quantile of the standard normal. */
export const upperNormal = (share: number): number => root((z) => normalTail(z) - share, -10, 10);

/** Source: the continued fraction of Mills' ratio beyond 3, a Taylor series before. */
function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  const density = Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
  if (z > 3) {
    let ratio = z;
    for (let k = 100; k >= 1; k -= 1) ratio = z + k / ratio;
    return density / ratio;
  }
  let [term, sum] = [z, z];
  for (let k = 1; k < 200; k += 1) {
    term *= (z * z) / (2 * k + 1);
    sum += term;
  }
  return 0.5 - density * sum;
}

/** ln of the upper incomplete gamma integral Γ(a, x), x > 0. Source: DLMF 8.7.1 and 8.9.2. */
export function lnUpperGamma(a: number, x: number): number {
  const front = a * Math.log(x) - x;
  if (x < a + 1) {
    let [term, sum] = [1 / a, 1 / a];
    for (let k = 1; k < 10_000 && term > sum * 1e-17; k += 1) {
      term *= x / (a + k);
      sum += term;
    }
    return lnGamma(a) + Math.log1p(-sum * Math.exp(front - lnGamma(a)));
  }
  // Lentz's method, from the even part of the continued fraction.
  let b = x + 1 - a;
  let [c, d] = [1e300, 1 / b];
  let result = d;
  for (let k = 1; k < 10_000; k += 1) {
    const term = -k * (k - a);
    b += 2;
    d = 1 / (term * d + b);
    c = b + term / c;
    result *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return front + Math.log(result);
}

/** Least value of a function with one valley between two ends; by golden sections. */
export function valley(f: (x: number) => number, from: number, to: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [a, b] = [from, to];
  for (let i = 0; i < 200; i += 1) {
    const [left, right] = [b - ratio * (b - a), a + ratio * (b - a)];
    if (f(left) < f(right)) b = right;
    else a = left;
  }
  return (a + b) / 2;
}
