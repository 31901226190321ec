import { expect, test } from 'vitest';
import { instant } from '../../../src/lib/units.ts';
import { Secret } from '../../../src/notifiers/secret.ts';
import { cloudEvent, signature } from '../../../src/notifiers/webhook.ts';
import { aNotice } from '../../builders/notice.ts';

test('a rollback as a CloudEvent', () => {
  const settings = { cluster: 'eu 1', link: 'https://d.example/{namespace}/{deployment}' };
  expect(cloudEvent(aNotice({ deployment: 'a/b' }), settings)).toMatchInlineSnapshot(`
    {
      "data": {
        "attempt": 1,
        "because": "the canary fails more requests than stable: error-ratio 4.1 % against 0.2 %",
        "deployment": "a/b",
        "durationSeconds": 48,
        "exposedRequests": 1213,
        "failedRequests": 50,
        "images": [
          {
            "container": "web",
            "from": "example.com/shop/web:1.4.2",
            "to": "example.com/shop/web:1.5.0",
          },
        ],
        "kind": "rollback",
        "link": "https://d.example/shop/a%2Fb",
        "metric": {
          "canaryRatio": 0.041,
          "check": "error-ratio",
          "evidence": 103.4,
          "stableRatio": 0.002,
          "threshold": 100,
        },
        "namespace": "shop",
        "revision": "7c9d5f6b8",
        "rule": "evidenceWorse",
        "step": 2,
        "steps": 5,
        "weightPercent": 5,
      },
      "datacontenttype": "application/json",
      "id": "6f0d8a4e/7c9d5f6b8/1/rollback",
      "source": "//eu%201/apis/apps/v1/namespaces/shop/deployments/a%2Fb",
      "specversion": "1.0",
      "subject": "shop/a/b",
      "time": "2026-11-20T14:03:22.000Z",
      "type": "dev.haldane.rollout.rollback",
    }
  `);
});

test('CloudEvents 1.0: required attributes are there, names are lower-case alphanumerics', () => {
  const { data, ...attributes } = cloudEvent(aNotice(), {});
  expect(Object.keys(attributes).every((name) => /^[a-z0-9]{1,20}$/.test(name))).toBe(true);
  for (const name of ['specversion', 'id', 'source', 'type'] as const) {
    expect(attributes[name]).toMatch(/./);
  }
  expect(attributes.specversion).toBe('1.0');
  expect(data).toMatchObject({ metric: { canaryRatio: 0.041 } });
  const { metric } = aNotice();
  if (metric === undefined) throw new Error('a rollback has a metric');
  const restarts = cloudEvent(aNotice({ metric: { ...metric, per: 'pod-second' } }), {});
  expect(restarts.data).toMatchObject({ metric: { canaryRatio: 0.041, per: 'pod-second' } });
});

// The example of the Standard Webhooks reference libraries.
test('the signature verifies with Standard Webhooks', () => {
  const key = new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const message = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    at: instant(1_614_265_330_000),
    body: '{"test": 2432232314}',
  };
  expect(signature(key, message)).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});
