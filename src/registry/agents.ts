/** Connections that stay open between requests, one pool per way of treating certificates. */
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Transport } from './registry-options.ts';

export interface Agents {
  agentFor(url: string, certificates: Transport['certificates']): http.Agent;
  close(): void;
}

/** More than any build sends at once: uploads and downloads are limited where they start, so that no request waits here with its clock running. */
const MAX_SOCKETS_PER_HOST = 64;

export function createAgents(connectMs: number): Agents {
  const options = {
    keepAlive: true,
    maxSockets: MAX_SOCKETS_PER_HOST,
    maxFreeSockets: 16,
    // Node's 250 ms per address gives up on slow but working networks.
    autoSelectFamilyAttemptTimeout: 2000,
  };
  const plain = limitConnect(new http.Agent(options), connectMs, 'connect');
  const verified = limitConnect(new https.Agent(options), connectMs, 'secureConnect');
  const unverified = limitConnect(new https.Agent({ ...options, rejectUnauthorized: false }), connectMs, 'secureConnect');
  return {
    agentFor(url, certificates) {
      if (url.startsWith('http:')) return plain;
      return certificates === 'verify' ? verified : unverified;
    },
    close() {
      for (const agent of [plain, verified, unverified]) agent.destroy();
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
