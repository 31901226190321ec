/**
 * 32-bit FNV-1a of UTF-16 units as 8 hex digits: to tell texts apart, never to keep a secret.
 * Source: Fowler–Noll–Vo.
 */
export function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
