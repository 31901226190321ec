import { instant, percent, ratio, seconds } from '../../src/lib/units.ts';
import type { Notice } from '../../src/rollout/notice.ts';

/** A rollback as people get to see it; every test changes what it is about. */
export const aNotice = (change: Partial<Notice> = {}): Notice => ({
  id: '6f0d8a4e/7c9d5f6b8/1/rollback',
  kind: 'rollback',
  at: instant(Date.UTC(2026, 10, 20, 14, 3, 22)),
  namespace: 'shop',
  deployment: 'web',
  revision: '7c9d5f6b8',
  attempt: 1,
  images: [
    { container: 'web', from: 'example.com/shop/web:1.4.2', to: 'example.com/shop/web:1.5.0' },
  ],
  rule: 'evidenceWorse',
  because: 'the canary fails more requests than stable: error-ratio 4.1 % against 0.2 %',
  weight: percent(5),
  step: 2,
  steps: 5,
  metric: {
    check: 'error-ratio',
    canary: ratio(0.041),
    stable: ratio(0.002),
    evidence: 103.4,
    threshold: 100,
  },
  exposedRequests: 1213,
  failedRequests: 50,
  duration: seconds(48),
  notifiers: [],
  ...change,
});
