import { parseRfc3339 } from '../lib/units.ts';
import { asArray, isArray, isObject, type Json } from './json.ts';
import { fieldShape, resolveShape, type Shape } from './schema.ts';
import { badRequest } from './status.ts';

const microTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/;
const anyTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const microRef = 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime';

/**
 * Times that are not RFC 3339 are refused; a MicroTime needs exactly six fractional digits.
 * @throws ApiFailure 400
 */
export function checkTimes(shape: Shape, value: Json, before: Json | undefined): void {
  if (value === before) return;
  if (isArray(value)) {
    const items = resolveShape(shape.items);
    value.forEach((item, i) => checkTimes(items, item, asArray(before)[i]));
    return;
  }
  if (!isObject(value)) return;
  for (const key in value) {
    const child = value[key];
    const place = fieldShape(shape, key);
    if (child === undefined || child === null) continue;
    const micro = shape.properties?.[key]?.ref === microRef || place.ref === microRef;
    if (typeof child === 'string' && place.format === 'date-time') checkTime(child, micro);
    else if (typeof child === 'object')
      checkTimes(place, child, isObject(before) ? before[key] : undefined);
  }
}

function checkTime(text: string, micro: boolean): void {
  if (micro && !microTime.test(text))
    throw badRequest(
      `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05.000000Z07:00": ` +
        'cannot parse the fraction of a second',
    );
  if (!anyTime.test(text) || (text.endsWith('Z') && parseRfc3339(text) === undefined))
    throw badRequest(
      `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse it`,
    );
}
