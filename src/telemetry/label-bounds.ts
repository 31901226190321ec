/** Most values that a label takes before further ones are counted under `other`. */
export const labelBounds = {
  namespace: 2000,
  rule: 64,
  reason: 64,
  outcome: 64,
  check: 200,
  source: 50,
  notifier: 50,
  resource: 40,
  code: 60,
} as const;

export type BoundedLabel = keyof typeof labelBounds;

/**
 * Keeps a label's values few even where a bug, or an annotation somebody edited, offers new ones
 * without end: a series costs memory here and in Prometheus for as long as both run.
 */
export function createLabelBounds(bounds: Readonly<Record<BoundedLabel, number>> = labelBounds) {
  const seen = new Map<BoundedLabel, Set<string>>();
  return (label: BoundedLabel, value: string): string => {
    const values = seen.get(label) ?? new Set();
    seen.set(label, values);
    if (values.has(value)) return value;
    if (values.size >= bounds[label] || value.length > 100) return 'other';
    values.add(value);
    return value;
  };
}

export type LabelBounds = ReturnType<typeof createLabelBounds>;
