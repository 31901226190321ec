import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Behaviour } from './behaviour.ts';
import { RequestMetrics } from './request-metrics.ts';

/** Longer than any proxy keeps an idle connection: the proxy closes first and loses no race. */
const keepAlive = 150_000;

/** The exposition format in which alone Prometheus reads native histograms. */
const protobuf = 'application/vnd.google.protobuf';
const protobufType = `${protobuf}; proto=io.prometheus.client.MetricFamily; encoding=delimited`;

/**
 * What runs in a pod's container: answers every path, misbehaves as told, and counts for
 * Prometheus.
 */
export class PodServer {
  readonly #server: Server;
  readonly #pod: string;
  readonly #behaviour: () => Behaviour;
  readonly #metrics = new RequestMetrics();
  readonly #began = performance.now();
  /** No two processes are of one size. */
  readonly #size = 1 + Math.random() * 0.05;
  #draining = false;

  /** `behaviour` is asked for each request, so that a change acts at once. */
  constructor(pod: string, behaviour: () => Behaviour) {
    this.#pod = pod;
    this.#behaviour = behaviour;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.keepAliveTimeout = keepAlive;
    this.#server.requestTimeout = 0;
  }

  listen(address: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, address, resolve);
    });
  }

  /** From now on each answer also closes its connection, so that clients go elsewhere. */
  drain(): void {
    this.#draining = true;
    this.#server.closeIdleConnections();
  }

  /** Lets requests under way end, for at most `grace` milliseconds. */
  close(grace: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#server.closeAllConnections(), grace);
      this.#server.close(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }

  /** As a crash: every connection is cut in the middle of whatever it did. */
  destroy(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #memoryBytes(): number {
    const { memory, leak } = this.#behaviour();
    const seconds = (performance.now() - this.#began) / 1000;
    return Math.round((memory * this.#size + leak * seconds) * 1024 * 1024);
  }

  /** Prometheus asks for protocol buffers when it is to read native histograms. */
  #tell(request: IncomingMessage, response: ServerResponse): void {
    const native = request.headers.accept?.includes(protobuf) ?? false;
    const memory = this.#memoryBytes();
    const { histogramSchema } = this.#behaviour();
    response.writeHead(200, {
      'content-type': native ? protobufType : 'text/plain; version=0.0.4',
    });
    response.end(
      native ? this.#metrics.protobuf(memory, histogramSchema) : this.#metrics.text(memory),
    );
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === '/metrics') {
      this.#tell(request, response);
      return;
    }
    const { latency, jitter } = this.#behaviour();
    const wait = request.url === '/healthz' ? 0 : latency + Math.random() * jitter;
    const began = performance.now();
    if (wait > 0) setTimeout(() => this.#finish(request, response, began), wait);
    else this.#finish(request, response, began);
  }

  #finish(request: IncomingMessage, response: ServerResponse, began: number): void {
    const { version, errorRate, errorStatus } = this.#behaviour();
    const probe = request.url === '/healthz';
    const status = !probe && Math.random() < errorRate ? errorStatus : 200;
    response.writeHead(status, {
      'content-type': 'text/plain',
      'x-version': version,
      'x-pod': this.#pod,
      ...(this.#draining ? { connection: 'close' } : {}),
    });
    response.end(`${version} ${this.#pod} ${status}\n`);
    if (!probe) this.#metrics.count(status, (performance.now() - began) / 1000);
  }
}
