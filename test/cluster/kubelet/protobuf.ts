// The wire format of protocol buffers, as much of it as an exposition needs: each function gives
// one field of a message, and fields that follow one another are a message.

const varintType = 0;
const fixed64Type = 1;
const bytesType = 2;

/** A field of type uint32, uint64 or enum: a whole number from 0 to 2^53 − 1. */
export const unsigned = (field: number, value: number): Buffer =>
  Buffer.concat([key(field, varintType), varint(value)]);

/** A field of type sint32 or sint64: small numbers of either sign are short. */
export const signed = (field: number, value: number): Buffer =>
  unsigned(field, value < 0 ? -2 * value - 1 : 2 * value);

export function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([key(field, fixed64Type), bytes]);
}

/** A field of type string. */
export const text = (field: number, value: string): Buffer => message(field, Buffer.from(value));

/** A field that is a message of its own. */
export const message = (field: number, ...fields: readonly Buffer[]): Buffer =>
  Buffer.concat([key(field, bytesType), delimited(...fields)]);

/** A whole message with its length before it, so that others can follow. */
export function delimited(...fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat(fields);
  return Buffer.concat([varint(body.length), body]);
}

const key = (field: number, type: number): Buffer => varint(8 * field + type);

/** Seven bits in a byte, the lowest first; the eighth says that more follow. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(128 + (rest % 128));
  return Buffer.from([...bytes, rest]);
}
