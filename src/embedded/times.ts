import { parseRfc3339 } from '../lib/units.ts';
import type { Time } from './schema.ts';
import { badRequest } from './status.ts';

const microTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/;
const anyTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** The last whole-second time that was right: what changes at once says the same moment often. */
let lastGood: string | undefined;

/**
 * Times that are not RFC 3339 are refused; a MicroTime needs exactly six fractional digits.
 * @throws ApiFailure 400
 */
export function checkTime({ text, micro }: Time): void {
  if (!micro && text === lastGood) return;
  if (micro && !microTime.test(text))
    throw badRequest(
      `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05.000000Z07:00": ` +
        'cannot parse the fraction of a second',
    );
  if ((!micro && !anyTime.test(text)) || (text.endsWith('Z') && parseRfc3339(text) === undefined))
    throw badRequest(
      `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse it`,
    );
  if (!micro) lastGood = text;
}
