import type { Random } from '../lib/random.ts';
import type { User } from './authorization.ts';
import { freshUid } from './naming.ts';

/** Bearer tokens and whom they stand for. */
export class TokenRegistry {
  readonly #users = new Map<string, User>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  issue(user: User): string {
    const token = `embedded-${freshUid(this.#random)}`;
    this.#users.set(token, user);
    return token;
  }

  revoke(token: string): void {
    this.#users.delete(token);
  }

  userOf(token: string): User | undefined {
    return this.#users.get(token);
  }
}
