/**
 * What the loss of evidence costs. A second start must not spend α again: each halves what was
 * left.
 * @param alphaShare 1/2, 1/4, …
 */
export function lossWords(alphaShare: number): string {
  const losses = Math.round(-Math.log2(alphaShare));
  const often = losses === 1 ? 'once' : losses === 2 ? 'twice' : `${losses} times`;
  return `evidence was lost ${often}: a rollback needs ${1 / alphaShare} times as much as before`;
}
