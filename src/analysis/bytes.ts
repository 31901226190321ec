import { invariant } from '../lib/errors.ts';

/** Numbers written one after the other, without loss, as base64. */
export interface ByteWriter {
  double(value: number): void;
  single(value: number): void;
  /** A whole number from −32768 to 32767. */
  short(value: number): void;
  /** A number from 0; whole ones take a byte per 7 bits, others 9 bytes. */
  count(value: number): void;
  toBase64(): string;
}

/** Reads what a {@link ByteWriter} wrote, in the same order; throws InvariantError past the end. */
export interface ByteReader {
  double(): number;
  single(): number;
  short(): number;
  count(): number;
  /** Nothing is left. */
  end(): void;
}

/** First byte of a count that is no whole number; a whole one never begins so. */
const fraction = 0x80;

export function byteWriter(): ByteWriter {
  const bytes: number[] = [];
  const view = new DataView(new ArrayBuffer(8));
  const flush = (length: number) => {
    for (let i = 0; i < length; i += 1) bytes.push(view.getUint8(i));
  };
  const double = (value: number) => {
    view.setFloat64(0, value);
    flush(8);
  };
  return {
    double,
    single(value) {
      view.setFloat32(0, value);
      flush(4);
    },
    short(value) {
      view.setInt16(0, value);
      flush(2);
    },
    count(value) {
      if (!Number.isSafeInteger(value) || value < 0) {
        bytes.push(fraction);
        double(value);
        return;
      }
      let unit = 1;
      while (unit * 128 <= value) unit *= 128;
      for (; unit > 1; unit /= 128) bytes.push(128 + (Math.floor(value / unit) % 128));
      bytes.push(value % 128);
    },
    toBase64: () => btoa(String.fromCharCode(...bytes)),
  };
}

export function byteReader(text: string): ByteReader {
  const whole = /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0;
  invariant(whole, 'packed evidence is whole');
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = characters.charCodeAt(i);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const take = (length: number) => {
    invariant(at + length <= bytes.length, 'packed evidence is whole');
    at += length;
    return at - length;
  };
  const double = () => view.getFloat64(take(8));
  return {
    double,
    single: () => view.getFloat32(take(4)),
    short: () => view.getInt16(take(2)),
    count() {
      let byte = view.getUint8(take(1));
      if (byte === fraction) return double();
      let value = byte % 128;
      while (byte >= 128) {
        byte = view.getUint8(take(1));
        value = value * 128 + (byte % 128);
      }
      return value;
    },
    end: () => invariant(at === bytes.length, 'packed evidence is whole'),
  };
}
