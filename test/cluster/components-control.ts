import { createServer, type Server } from 'node:http';
import { request } from 'undici';
import {
  type ClusterSettings,
  type ComponentContext,
  type ComponentName,
  componentNames,
  componentSpec,
  endpoints,
} from './components.ts';
import type { Usage } from './process-record.ts';
import type { Supervisor } from './supervisor.ts';

/** Changes to a component's command line for one start. */
export interface StartOptions {
  /** Added at the end of the command line, so that they win. */
  readonly args?: readonly string[];
  readonly settings?: Partial<ClusterSettings>;
}

export interface ComponentState {
  readonly name: ComponentName;
  readonly pid: number;
  readonly usage: Usage | undefined;
}

/**
 * Power over the cluster's processes, from the process that started them and from the case files.
 */
export interface Components {
  /** Starts a stopped component and waits until it is ready. */
  start(name: ComponentName, options?: StartOptions): Promise<void>;
  /** Ends it politely. */
  stop(name: ComponentName): Promise<void>;
  /** kill -9. */
  kill(name: ComponentName): Promise<void>;
  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause(name: ComponentName): Promise<void>;
  resume(name: ComponentName): Promise<void>;
  /** Stop, then start; without options, as at the beginning. */
  restart(name: ComponentName, options?: StartOptions): Promise<void>;
  /** After a case: starts what does not run, resumes what is paused, takes back other flags. */
  repair(): Promise<void>;
  states(): Promise<readonly ComponentState[]>;
}

/** Direct control over processes of this very process. */
export function ownComponents(supervisor: Supervisor, context: ComponentContext): Components {
  const changed = new Set<ComponentName>();
  const start: Components['start'] = async (name, options = {}) => {
    const settings = { ...context.settings, ...options.settings };
    if (Object.keys(options).length > 0) changed.add(name);
    else changed.delete(name);
    await supervisor.start(componentSpec(name, { ...context, settings }, options.args));
  };
  const components: Components = {
    start,
    stop: (name) => supervisor.stop(name),
    kill: (name) => supervisor.stop(name, 'SIGKILL'),
    pause: async (name) => supervisor.signal(name, 'SIGSTOP'),
    resume: async (name) => supervisor.signal(name, 'SIGCONT'),
    restart: async (name, options) => {
      await supervisor.stop(name);
      await start(name, options);
    },
    repair: async () => {
      for (const name of componentNames) {
        if (changed.has(name)) await supervisor.stop(name);
        if (supervisor.isRunning(name)) supervisor.signal(name, 'SIGCONT');
        else await start(name);
      }
    },
    states: async () =>
      supervisor.processes().map(({ name, pid }) => ({
        name: name as ComponentName,
        pid,
        usage: supervisor.usage(name),
      })),
  };
  return components;
}

/**
 * Lets the case files, which run in other processes, control the components: `POST /ACTION/NAME`.
 */
export function serveComponents(components: Components): Promise<Server> {
  const server = createServer((incoming, response) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    incoming.on('end', () => {
      perform(components, incoming.url ?? '', body).then(
        (result) => response.end(JSON.stringify(result ?? null)),
        (cause: unknown) => {
          response.statusCode = 500;
          response.end(cause instanceof Error ? cause.message : String(cause));
        },
      );
    });
  });
  const { port, hostname } = new URL(endpoints.control);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(port), hostname, () => resolve(server));
  });
}

async function perform(components: Components, url: string, body: string): Promise<unknown> {
  const [, action, name] = url.split('/');
  const component = componentNames.find((known) => known === name);
  if (action === 'states') return components.states();
  if (action === 'repair') return components.repair();
  if (component === undefined) throw new Error(`no component ${name}`);
  const options = body === '' ? {} : (JSON.parse(body) as StartOptions);
  if (action === 'start') return components.start(component, options);
  if (action === 'restart') return components.restart(component, options);
  if (action === 'stop') return components.stop(component);
  if (action === 'kill') return components.kill(component);
  if (action === 'pause') return components.pause(component);
  if (action === 'resume') return components.resume(component);
  throw new Error(`no action ${action}`);
}

/** The same control, through the process that owns the components. */
export function remoteComponents(): Components {
  const ask = async (path: string, options?: StartOptions): Promise<unknown> => {
    const { statusCode, body } = await request(`${endpoints.control}/${path}`, {
      method: 'POST',
      body: options === undefined ? '' : JSON.stringify(options),
      headersTimeout: 0,
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${path}: ${text}`);
    return JSON.parse(text) as unknown;
  };
  const tell = async (path: string, options?: StartOptions): Promise<void> => {
    await ask(path, options);
  };
  return {
    start: (name, options) => tell(`start/${name}`, options),
    stop: (name) => tell(`stop/${name}`),
    kill: (name) => tell(`kill/${name}`),
    pause: (name) => tell(`pause/${name}`),
    resume: (name) => tell(`resume/${name}`),
    restart: (name, options) => tell(`restart/${name}`, options),
    repair: () => tell('repair'),
    states: async () => (await ask('states')) as readonly ComponentState[],
  };
}
