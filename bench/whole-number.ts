/** @throws Error that names the flag and what it needs */
export function wholeNumber(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new Error(`${flag} needs a whole number from ${least}`);
  }
  return value;
}
