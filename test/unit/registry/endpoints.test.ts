import { expect, test } from 'vitest';
import { pullEndpoints, pushEndpoint } from '../../../src/registry/endpoints.ts';
import { registryOptions } from '../../helpers/fault-registry.ts';

const places = (registry: string, path: string, more: Parameters<typeof registryOptions>[0] = {}) =>
  pullEndpoints(registry, path, registryOptions(more)).map((e) => `${e.host} ${e.path}`);

test('Docker Hub is asked at its API host', () => {
  expect(places('docker.io', 'library/x')).toEqual(['registry-1.docker.io library/x']);
});

test('mirrors come before Docker Hub, in order, with their paths', () => {
  expect(places('docker.io', 'library/x', { mirrors: ['m.example:5000', 'n.example/hub/cache/'] })).toEqual([
    'm.example:5000 library/x',
    'n.example hub/cache/library/x',
    'registry-1.docker.io library/x',
  ]);
});

test('mirrors can be all there is', () => {
  expect(places('docker.io', 'a/x', { mirrors: ['m.example'], hubAfterMirrors: 'never' })).toEqual(['m.example a/x']);
});

test('mirrors are for Docker Hub only', () => {
  expect(places('quay.io', 'a/x', { mirrors: ['m.example'] })).toEqual(['quay.io a/x']);
});

test.each(['https://m.example', '', 'm.example//x', 'm example'])('"%s" is not a mirror', (mirror) => {
  expect(() => places('docker.io', 'x', { mirrors: [mirror] })).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

const HTTP = { http: 'http-allowed', certificates: 'verify' } as const;
const UNVERIFIED = { http: 'https-only', certificates: 'accept-any' } as const;

test.each([
  ['r.example', {}, 'https-only', 'verify'],
  ['localhost', {}, 'http-allowed', 'accept-any'],
  ['127.0.0.1:5000', {}, 'http-allowed', 'accept-any'],
  ['[::1]:5000', {}, 'http-allowed', 'accept-any'],
  ['127.0.0.1.example', {}, 'https-only', 'verify'],
  ['localhost.example', {}, 'https-only', 'verify'],
  ['r.example', { push: HTTP }, 'http-allowed', 'accept-any'],
  ['r.example', { pull: HTTP }, 'https-only', 'verify'],
  ['r.example', { push: UNVERIFIED }, 'https-only', 'accept-any'],
  ['r.example:1', { httpHosts: ['r.example:1'] }, 'http-allowed', 'accept-any'],
  ['r.example:2', { httpHosts: ['r.example:1'] }, 'https-only', 'verify'],
  ['r.example', { unverifiedHosts: ['r.example'] }, 'https-only', 'accept-any'],
  ['docker.io', { unverifiedHosts: ['index.docker.io'] }, 'https-only', 'accept-any'],
])('pushing to %s with %o is %s and certificates: %s', (registry, more, http, certificates) => {
  expect(pushEndpoint(registry, 'x', registryOptions(more)).transport).toEqual({ http, certificates });
});
