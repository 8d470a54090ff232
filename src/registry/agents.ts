/**
 * Connections that stay open between requests, one pool per way of treating certificates. Node's modules are loaded with the
 * first request that needs them: TLS and its certificates take longer than all requests of a small build in plain HTTP.
 */
import type http from 'node:http';
import type { Socket } from 'node:net';
import type { Transport } from './registry-options.ts';

export interface Connector {
  readonly request: typeof http.request;
  readonly agent: http.Agent;
}

export interface Agents {
  connectorFor(url: string, certificates: Transport['certificates']): Promise<Connector>;
  close(): void;
}

/** More than any build sends at once: uploads and downloads are limited where they start, so that no request waits here with its clock running. */
const MAX_SOCKETS_PER_HOST = 64;
const BODY_BUFFER_BYTES = 1 << 20;

type Pool = 'plain' | Transport['certificates'];

export function createAgents(connectMs: number): Agents {
  const options = {
    keepAlive: true,
    maxSockets: MAX_SOCKETS_PER_HOST,
    maxFreeSockets: 16,
    // Node's 250 ms per address gives up on slow but working networks.
    autoSelectFamilyAttemptTimeout: 2000,
    highWaterMark: BODY_BUFFER_BYTES,
  };
  const pools = new Map<Pool, Promise<Connector>>();
  const agents: http.Agent[] = [];
  const open = async (pool: Pool): Promise<Connector> => {
    if (pool === 'plain') {
      const { request, Agent } = await import('node:http');
      return { request, agent: limitConnect(new Agent(options), connectMs, 'connect') };
    }
    const { request, Agent } = await import('node:https');
    // Whoever accepts any certificate needs no list of authorities; parsing Node's takes a while.
    const trust = pool === 'verify' ? {} : { rejectUnauthorized: false, ca: [] };
    return { request, agent: limitConnect(new Agent({ ...options, ...trust }), connectMs, 'secureConnect') };
  };
  return {
    async connectorFor(url, certificates) {
      const pool = url.startsWith('http:') ? 'plain' : certificates;
      let connector = pools.get(pool);
      if (connector === undefined) {
        connector = open(pool);
        pools.set(pool, connector);
        agents.push((await connector).agent);
      }
      return connector;
    },
    close() {
      for (const agent of agents) agent.destroy();
    },
  };
}

/** Node has no time limit for connecting: a host that answers nothing would be waited for as long as the kernel likes. */
function limitConnect<A extends http.Agent>(agent: A, connectMs: number, ready: 'connect' | 'secureConnect'): A {
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = createConnection(options, callback) as Socket;
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error(`no connection within ${connectMs} ms`), { code: 'ETIMEDOUT' }));
    }, connectMs);
    const stop = (): void => clearTimeout(timer);
    socket.once(ready, stop).once('close', stop);
    return socket;
  };
  return agent;
}
