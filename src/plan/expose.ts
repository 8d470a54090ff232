/**
 * The ports of EXPOSE: `[ip:][hostPort:]port[-port][/proto]`. Host parts are checked and dropped, as Docker does.
 * Reference: BuildKit dockerfile2llb/convert_expose.go.
 */
import { isIP } from 'node:net';
import { TsbuildError } from '../errors.ts';

/** `80/tcp` texts, ranges written out in order. Throws DOCKERFILE_SEMANTICS. */
export function exposedPorts(spec: string): readonly string[] {
  const parts = spec.split(':');
  const container = parts.at(-1) ?? '';
  const hostPort = parts.at(-2) ?? '';
  const ip = parts
    .slice(0, -2)
    .join(':')
    .replace(/^\[(.*)\]$/, '$1');
  const slash = container.indexOf('/');
  const ports = slash < 0 ? container : container.slice(0, slash);
  const proto = slash < 0 ? 'tcp' : container.slice(slash + 1).toLowerCase() || 'tcp';
  if (ports === '') throw invalid(spec, 'no port is given');
  if (!/^(tcp|udp|sctp)$/.test(proto)) throw invalid(spec, `"${proto}" is not a protocol: use tcp, udp or sctp`);
  if (ip !== '' && isIP(ip) === 0) throw invalid(spec, `invalid IP address "${ip}"`);
  const range = portRange(ports);
  if (range === null) throw invalid(spec, `invalid containerPort "${ports}"`);
  const host = hostPort === '' ? null : portRange(hostPort);
  if (hostPort !== '' && host === null) throw invalid(spec, `invalid hostPort "${hostPort}"`);
  const [first, last] = range;
  if (host !== null && last !== first && host[1] - host[0] !== last - first) throw invalid(spec, 'the ranges differ in length');
  return Array.from({ length: last - first + 1 }, (_, n) => `${first + n}/${proto}`);
}

function portRange(text: string): readonly [number, number] | null {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return null;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65535 ? [first, last] : null;
}

function invalid(spec: string, why: string): TsbuildError {
  return new TsbuildError('DOCKERFILE_SEMANTICS', `EXPOSE "${spec}": ${why}`, { hint: 'a port is 80, 80/udp or 8000-8010/tcp' });
}
