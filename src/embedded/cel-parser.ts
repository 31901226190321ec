/** Syntax tree of the Common Expression Language, as far as admission policies use it. */
export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'member'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'index'; readonly of: Expression; readonly index: Expression }
  | {
      readonly kind: 'call';
      readonly on: Expression | undefined;
      readonly name: string;
      readonly args: readonly Expression[];
    }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | {
      readonly kind: 'object';
      readonly type: string;
      readonly fields: readonly (readonly [string, Expression])[];
    }
  | { readonly kind: 'unary'; readonly operator: '!' | '-'; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'choice';
      readonly test: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    };

export class CelError extends Error {
  override readonly name = 'CelError';
}

type Token = {
  readonly kind: 'name' | 'number' | 'string' | 'sign' | 'end';
  readonly text: string;
};

const tokenForms: readonly [Token['kind'] | 'space', RegExp][] = [
  ['space', /\s+/y],
  ['number', /\d+(\.\d+)?/y],
  ['name', /[A-Za-z_][A-Za-z0-9_]*/y],
  ['string', /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/y],
  ['sign', /&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()[\]{}]/y],
];

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const start = at;
    for (const [kind, form] of tokenForms) {
      form.lastIndex = at;
      const match = form.exec(text);
      if (match === null) continue;
      if (kind !== 'space') tokens.push({ kind, text: match[0] });
      at += match[0].length;
      break;
    }
    if (at === start) throw new CelError(`unexpected character ${JSON.stringify(text[at])}`);
  }
  return [...tokens, { kind: 'end', text: '' }];
}

const levels: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['==', '!=', '<', '<=', '>', '>=', 'in'],
  ['+', '-'],
  ['*', '/', '%'],
];

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  whole(): Expression {
    const expression = this.#choice();
    if (this.#peek().kind !== 'end') throw new CelError(`unexpected ${this.#peek().text}`);
    return expression;
  }

  #peek(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #take(text: string): boolean {
    if (this.#peek().kind === 'string' || this.#peek().text !== text) return false;
    this.#at += 1;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw new CelError(`expected ${text}, found ${this.#peek().text}`);
  }

  #choice(): Expression {
    const test = this.#binary(0);
    if (!this.#take('?')) return test;
    const yes = this.#choice();
    this.#expect(':');
    return { kind: 'choice', test, yes, no: this.#choice() };
  }

  #binary(level: number): Expression {
    const operators = levels[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = operators.find((sign) => this.#take(sign));
      if (operator === undefined) return left;
      left = { kind: 'binary', operator, left, right: this.#binary(level + 1) };
    }
  }

  #unary(): Expression {
    if (this.#take('!')) return { kind: 'unary', operator: '!', operand: this.#unary() };
    if (this.#take('-')) return { kind: 'unary', operator: '-', operand: this.#unary() };
    return this.#postfix();
  }

  #postfix(): Expression {
    let of = this.#atom();
    for (;;) {
      if (this.#take('.')) {
        const name = this.#name();
        of = this.#take('(')
          ? { kind: 'call', on: of, name, args: this.#list(')') }
          : { kind: 'member', of, name };
      } else if (this.#take('[')) {
        of = { kind: 'index', of, index: this.#choice() };
        this.#expect(']');
      } else if (isTypeName(of) && this.#take('{')) of = this.#object(typeName(of));
      else return of;
    }
  }

  #name(): string {
    const token = this.#peek();
    if (token.kind !== 'name') throw new CelError(`expected a name, found ${token.text}`);
    this.#at += 1;
    return token.text;
  }

  #list(end: string): Expression[] {
    const items: Expression[] = [];
    while (!this.#take(end)) {
      if (items.length > 0) this.#expect(',');
      items.push(this.#choice());
    }
    return items;
  }

  #object(type: string): Expression {
    const fields: [string, Expression][] = [];
    while (!this.#take('}')) {
      if (fields.length > 0) this.#expect(',');
      const name = this.#name();
      this.#expect(':');
      fields.push([name, this.#choice()]);
    }
    return { kind: 'object', type, fields };
  }

  #map(): Expression {
    const entries: [Expression, Expression][] = [];
    while (!this.#take('}')) {
      if (entries.length > 0) this.#expect(',');
      const key = this.#choice();
      this.#expect(':');
      entries.push([key, this.#choice()]);
    }
    return { kind: 'map', entries };
  }

  #atom(): Expression {
    const token = this.#peek();
    this.#at += 1;
    if (token.kind === 'number') return { kind: 'literal', value: Number(token.text) };
    if (token.kind === 'string') return { kind: 'literal', value: unquote(token.text) };
    if (token.kind === 'name') return this.#named(token.text);
    if (token.text === '(') {
      const inner = this.#choice();
      this.#expect(')');
      return inner;
    }
    if (token.text === '[') return { kind: 'list', items: this.#list(']') };
    if (token.text === '{') return this.#map();
    throw new CelError(`unexpected ${token.text === '' ? 'end' : token.text}`);
  }

  #named(name: string): Expression {
    if (name === 'true' || name === 'false') return { kind: 'literal', value: name === 'true' };
    if (name === 'null') return { kind: 'literal', value: null };
    if (this.#take('(')) return { kind: 'call', on: undefined, name, args: this.#list(')') };
    return { kind: 'name', name };
  }
}

/** `Object`, `Object.spec`, `JSONPatch`: what may stand before a brace. */
const isTypeName = (e: Expression): boolean =>
  e.kind === 'name' ? /^[A-Z]/.test(e.name) : e.kind === 'member' && isTypeName(e.of);

const typeName = (e: Expression): string =>
  e.kind === 'member' ? `${typeName(e.of)}.${e.name}` : e.kind === 'name' ? e.name : '';

function unquote(text: string): string {
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
  return text.slice(1, -1).replaceAll(/\\(.)/g, (_all, char: string) => escapes[char] ?? char);
}

/** @throws CelError where the text is not an expression of the supported language */
export const parseCel = (text: string): Expression => new Parser(text).whole();
