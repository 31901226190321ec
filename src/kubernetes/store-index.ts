/** Which object keys stand under which index key. */
export interface Index {
  /** Puts `key` under exactly these index keys; none removes it. */
  set(key: string, indexKeys: readonly string[]): void;
  keys(indexKey: string): Iterable<string>;
}

export function createIndex(): Index {
  const members = new Map<string, Set<string>>();
  const places = new Map<string, readonly string[]>();
  const leave = (key: string, indexKey: string) => {
    const set = members.get(indexKey);
    set?.delete(key);
    if (set?.size === 0) members.delete(indexKey);
  };
  return {
    set: (key, indexKeys) => {
      for (const old of places.get(key) ?? []) if (!indexKeys.includes(old)) leave(key, old);
      if (indexKeys.length === 0) places.delete(key);
      else places.set(key, indexKeys);
      for (const indexKey of indexKeys) {
        const set = members.get(indexKey);
        if (set === undefined) members.set(indexKey, new Set([key]));
        else set.add(key);
      }
    },
    keys: (indexKey) => members.get(indexKey) ?? [],
  };
}
