/**
 * Whether the answers of a plain-http server at this host stay inside the cluster or the machine.
 */
export function isInternalHost(host: string): boolean {
  const name = host.toLowerCase();
  if (name.startsWith('[')) return isInternalV6(name.slice(1, -1));
  const address = v4Address(name);
  if (address !== undefined) return isInternalV4(address);
  const labels = name.split('.').filter((label) => label !== '');
  const last = labels.at(-1) ?? '';
  if (labels.length === 1) return true;
  return last === 'svc' || labels.includes('svc') || internalDomains.has(last);
}

const internalDomains: ReadonlySet<string> = new Set(['local', 'internal', 'localhost', 'lan']);

/**
 * Addresses where clouds serve credentials to whoever asks; nothing of ours ever has business
 * there.
 */
export function isLinkLocal(host: string): boolean {
  const address = v4Address(host.toLowerCase());
  if (address !== undefined) return address[0] === 169 && address[1] === 254;
  return host.toLowerCase().startsWith('[fe80:') || host.includes('169.254.');
}

function isInternalV4([first, second]: readonly [number, number, ...number[]]): boolean {
  if (first === 10 || first === 127) return true;
  if (first === 172) return second >= 16 && second <= 31;
  if (first === 100) return second >= 64 && second <= 127;
  return first === 192 && second === 168;
}

const isInternalV6 = (text: string): boolean =>
  text === '::1' || text.startsWith('fc') || text.startsWith('fd');

/**
 * The URL parser has already turned every spelling of an IPv4 address into four decimal numbers.
 */
function v4Address(host: string): readonly [number, number, number, number] | undefined {
  const parts = host.split('.');
  if (parts.length !== 4) return undefined;
  const [a, b, c, d] = parts.map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : Number.NaN));
  if (a === undefined || b === undefined || c === undefined || d === undefined) return undefined;
  return [a, b, c, d].every((part) => part <= 255) ? [a, b, c, d] : undefined;
}

/** What is wrong with the base URL of an HTTP API; `undefined` when nothing is. */
export function baseUrlFault(text: string, plainHttp: boolean): string | undefined {
  if (!URL.canParse(text)) return 'not a URL';
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'neither http nor https';
  if (url.username !== '' || url.password !== '') return 'carries a name or a password';
  if (url.search !== '' || url.hash !== '') return 'has a query or a fragment';
  if (isLinkLocal(url.hostname)) return 'names a link-local address';
  if (url.protocol === 'http:' && !plainHttp && !isInternalHost(url.hostname)) {
    return 'plain http to a host that is not inside the cluster; use https or set plainHttp: true';
  }
  return undefined;
}
