import { CelError, type Expression, parseCel } from './cel-parser.ts';
import { equalJson, isArray, isObject, type Json } from './json.ts';

export type Scope = { readonly [name: string]: Json | undefined };

const parsed = new Map<string, Expression>();

/**
 * Evaluates an expression over JSON values: operators, `has`, `size`, `in`, string functions,
 * the macros
 * `all exists map filter`, object construction. @throws CelError where Kubernetes would report
 * an error too
 */
export function evaluateCel(text: string, scope: Scope): Json {
  let expression = parsed.get(text);
  if (expression === undefined) parsed.set(text, (expression = parseCel(text)));
  return evaluate(expression, scope);
}

function evaluate(e: Expression, scope: Scope): Json {
  switch (e.kind) {
    case 'literal':
      return e.value;
    case 'name':
      return bound(scope, e.name);
    case 'member':
      return member(evaluate(e.of, scope), e.name);
    case 'index':
      return index(evaluate(e.of, scope), evaluate(e.index, scope));
    case 'call':
      return e.on === undefined
        ? callFree(e.name, e.args, scope)
        : callOn(e.on, e.name, e.args, scope);
    case 'list':
      return e.items.map((item) => evaluate(item, scope));
    case 'map':
      return Object.fromEntries(
        e.entries.map(([k, v]) => [String(evaluate(k, scope)), evaluate(v, scope)]),
      );
    case 'object':
      return Object.fromEntries(e.fields.map(([name, value]) => [name, evaluate(value, scope)]));
    case 'unary':
      return unary(e.operator, evaluate(e.operand, scope));
    case 'binary':
      return binary(e.operator, e.left, e.right, scope);
    case 'choice':
      return evaluate(truth(evaluate(e.test, scope)) ? e.yes : e.no, scope);
  }
}

function bound(scope: Scope, name: string): Json {
  const value = scope[name];
  if (value === undefined) throw new CelError(`undeclared reference to '${name}'`);
  return value;
}

function member(value: Json, name: string): Json {
  const found = isObject(value) ? value[name] : undefined;
  if (found === undefined) throw new CelError(`no such key: ${name}`);
  return found;
}

function index(value: Json, key: Json): Json {
  const found = isArray(value)
    ? value[Number(key)]
    : isObject(value)
      ? value[String(key)]
      : undefined;
  if (found === undefined) throw new CelError(`no such key: ${String(key)}`);
  return found;
}

function truth(value: Json): boolean {
  if (typeof value !== 'boolean')
    throw new CelError('no such overload: a condition must be a boolean');
  return value;
}

function unary(operator: '!' | '-', value: Json): Json {
  if (operator === '!') return !truth(value);
  if (typeof value !== 'number') throw new CelError('no such overload: -');
  return -value;
}

/** `||` and `&&` answer if one side decides, whatever error the other side has. */
function logical(operator: string, left: Expression, right: Expression, scope: Scope): boolean {
  const decisive = operator === '||';
  let failure: CelError | undefined;
  for (const side of [left, right]) {
    try {
      if (truth(evaluate(side, scope)) === decisive) return decisive;
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return !decisive;
}

function binary(operator: string, left: Expression, right: Expression, scope: Scope): Json {
  if (operator === '||' || operator === '&&') return logical(operator, left, right, scope);
  const a = evaluate(left, scope);
  const b = evaluate(right, scope);
  if (operator === '==') return equalJson(a, b);
  if (operator === '!=') return !equalJson(a, b);
  if (operator === 'in')
    return isArray(b)
      ? b.some((item) => equalJson(item, a))
      : isObject(b) && b[String(a)] !== undefined;
  if (operator === '+' && isArray(a) && isArray(b)) return [...a, ...b];
  if (typeof a === 'string' && typeof b === 'string') return onText(operator, a, b);
  if (typeof a === 'number' && typeof b === 'number') return onNumbers(operator, a, b);
  throw new CelError(`no such overload: ${operator}`);
}

function onText(operator: string, a: string, b: string): Json {
  if (operator === '+') return a + b;
  return compare(operator, a < b ? -1 : a > b ? 1 : 0);
}

function onNumbers(operator: string, a: number, b: number): Json {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      if (b === 0) throw new CelError('divide by zero');
      return Number.isInteger(a) && Number.isInteger(b) ? Math.trunc(a / b) : a / b;
    case '%':
      if (b === 0) throw new CelError('modulus by zero');
      return a % b;
    default:
      return compare(operator, a - b);
  }
}

function compare(operator: string, order: number): boolean {
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      throw new CelError(`no such overload: ${operator}`);
  }
}

function callFree(name: string, args: readonly Expression[], scope: Scope): Json {
  const [first] = args;
  if (first === undefined) throw new CelError(`${name} needs an argument`);
  if (name === 'has') {
    if (first.kind !== 'member') throw new CelError('invalid argument to has() macro');
    const of = evaluate(first.of, scope);
    return isObject(of) && of[first.name] !== undefined;
  }
  const value = evaluate(first, scope);
  switch (name) {
    case 'size':
      return size(value);
    case 'string':
      return typeof value === 'string' ? value : JSON.stringify(value);
    case 'int':
      return Math.trunc(Number(value));
    default:
      throw new CelError(`undeclared reference to '${name}'`);
  }
}

function size(value: Json): number {
  if (typeof value === 'string' || isArray(value)) return value.length;
  if (isObject(value)) return Object.keys(value).length;
  throw new CelError('no such overload: size');
}

const macros = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

function callOn(on: Expression, name: string, args: readonly Expression[], scope: Scope): Json {
  const value = evaluate(on, scope);
  if (macros.has(name)) return macro(value, name, args, scope);
  if (name === 'size') return size(value);
  const [argument] = args.map((arg) => evaluate(arg, scope));
  if (typeof value !== 'string' || typeof argument !== 'string')
    throw new CelError(`no such overload: ${name}`);
  switch (name) {
    case 'startsWith':
      return value.startsWith(argument);
    case 'endsWith':
      return value.endsWith(argument);
    case 'contains':
      return value.includes(argument);
    case 'matches':
      return new RegExp(argument).test(value);
    default:
      throw new CelError(`undeclared reference to '${name}'`);
  }
}

function macro(value: Json, name: string, args: readonly Expression[], scope: Scope): Json {
  const [variable, body] = args;
  if (variable?.kind !== 'name' || body === undefined)
    throw new CelError(`${name} needs a variable and a body`);
  const items: readonly Json[] = isArray(value) ? value : isObject(value) ? Object.keys(value) : [];
  const each = (item: Json) => evaluate(body, { ...scope, [variable.name]: item });
  switch (name) {
    case 'all':
      return items.every((item) => truth(each(item)));
    case 'exists':
      return items.some((item) => truth(each(item)));
    case 'exists_one':
      return items.filter((item) => truth(each(item))).length === 1;
    case 'filter':
      return items.filter((item) => truth(each(item)));
    default:
      return items.map(each);
  }
}
