import { isDigit } from './durations.ts';

/** Longest name of a Kubernetes Service or Namespace (RFC 1035 and 1123 labels). */
export const labelLimit = 63;
/** Longest name of most other Kubernetes objects (RFC 1123 subdomain). */
export const subdomainLimit = 253;

/**
 * Why `text` is not one DNS label; `undefined` when it is one. Linear in the length, at most 64
 * characters.
 */
export function labelFault(text: string): string | undefined {
  if (text === '') return 'empty';
  if (text.length > labelLimit) return `longer than ${labelLimit} characters`;
  for (let index = 0; index < text.length; index += 1) {
    if (!isLowerAlphanumeric(text.charCodeAt(index)) && text[index] !== '-') {
      return `character ${index + 1} is not allowed in a DNS name`;
    }
  }
  if (text.startsWith('-') || text.endsWith('-')) return 'a DNS name has no hyphen at its ends';
  return undefined;
}

/** Why `text` is not a DNS subdomain (labels joined by dots); `undefined` when it is one. */
export function subdomainFault(text: string): string | undefined {
  if (text === '') return 'empty';
  if (text.length > subdomainLimit) return `longer than ${subdomainLimit} characters`;
  for (const label of text.split('.')) {
    const fault = label === '' ? 'a DNS name has no empty part' : labelFault(label);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

export const isLowerAlphanumeric = (code: number): boolean =>
  isDigit(code) || (code >= 97 && code <= 122);

/**
 * Every character of `text` satisfies `allowed`, and there are between `least` and `most` of them.
 */
export function consistsOf(
  text: string,
  allowed: (code: number) => boolean,
  least: number,
  most: number,
): boolean {
  if (text.length < least || text.length > most) return false;
  for (let index = 0; index < text.length; index += 1) {
    if (!allowed(text.charCodeAt(index))) return false;
  }
  return true;
}
