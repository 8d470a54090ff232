/** A tiny HTTP server that answers as the test says and remembers what it was asked, for faults that real registries do not make. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { RegistryOptions } from '../../src/registry/registry-options.ts';

export interface Seen {
  readonly method: string;
  /** With the query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface FaultRegistry extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly seen: readonly Seen[];
}

export type Answer = (request: Seen, response: ServerResponse) => unknown;

/** `answer` is called when the whole request is there. */
export function faultRegistry(answer: Answer): Promise<FaultRegistry> {
  return faultRegistryOn('127.0.0.1', answer);
}

/** The same at another address of this machine. */
export async function faultRegistryOn(
  address: string,
  answer: Answer,
  tls?: { readonly key: string; readonly cert: string },
): Promise<FaultRegistry> {
  const seen: Seen[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      // What a client asks first at a loopback address: whether plain HTTP is spoken here. No test is about that.
      if (tls === undefined && url === '/v2/') {
        response.end();
        return;
      }
      const entry = { method, url, headers, body: Buffer.concat(chunks) };
      seen.push(entry);
      Promise.resolve(answer(entry, response)).catch((error: unknown) => response.destroy(error as Error));
    });
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.listen(0, address);
  await once(server, 'listening');
  return {
    host: `${address}:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** No test waits for real back-off. The time limits are the product's: with short ones, a busy machine is taken for a dead registry. */
export function registryOptions(more: Partial<RegistryOptions> = {}): RegistryOptions {
  const transport = { http: 'https-only', certificates: 'verify' } as const;
  return {
    push: transport,
    pull: transport,
    httpHosts: [],
    unverifiedHosts: [],
    mirrors: [],
    credentials: { find: () => Promise.resolve(null) },
    retry: { attempts: 3, firstDelayMs: 1, maxDelayMs: 2 },
    ...more,
  };
}

export function sendJson(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}
