import type { EventInput } from '../kubernetes/event-body.ts';
import type { ObjectView } from '../rollout/views.ts';

/** Kubernetes Events about a Deployment; never throws, never waits. */
export interface EventSink {
  record(event: EventInput): void;
}

/** The Deployment as the subject of an Event. */
export const aboutDeployment = ({ namespace, name, uid }: ObjectView): EventInput['subject'] => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  namespace,
  name,
  uid,
});
