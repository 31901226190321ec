import type { ApiServer } from '../api-server.ts';
import type { KubernetesObject } from '../resource.ts';

export type EventRecorder = {
  /** Writes a core Event about an object, as the components of Kubernetes do. */
  record(
    about: KubernetesObject,
    reason: string,
    message: string,
    source: string,
    type?: 'Normal' | 'Warning',
  ): void;
};

/** Records nothing: simulations have no reader. */
export const silentRecorder: EventRecorder = { record: () => {} };

export function createEventRecorder(server: ApiServer): EventRecorder {
  const resource = server.resource('v1', 'events');
  let serial = 0;
  return {
    record: (about, reason, message, source, type = 'Normal') => {
      const { name, namespace = 'default', uid, resourceVersion } = about.metadata;
      const now = server.objects.now();
      serial += 1;
      server.objects.create(
        resource,
        namespace,
        {
          metadata: { name: `${name}.${(0x18e000000000 + serial).toString(16)}` },
          involvedObject: {
            apiVersion: about.apiVersion,
            kind: about.kind,
            name,
            namespace,
            uid,
            resourceVersion,
          },
          reason,
          message,
          type,
          count: 1,
          firstTimestamp: now,
          lastTimestamp: now,
          eventTime: null,
          source: { component: source },
          reportingComponent: source,
          reportingInstance: '',
        },
        { manager: source },
      );
    },
  };
}
