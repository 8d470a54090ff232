/** Most of it needs an address of this machine that is not loopback, because loopback may always be plain HTTP. */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseReference } from '../../../src/image/reference.ts';
import { createRegistryClient } from '../../../src/registry/create-client.ts';
import type { RegistryOptions } from '../../../src/registry/registry-options.ts';
import { faultRegistryOn, registryOptions } from '../../helpers/fault-registry.ts';

const never = new AbortController().signal;
const address = Object.values(networkInterfaces())
  .flat()
  .find((a) => a !== undefined && !a.internal && a.family === 'IPv4')?.address;
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const pull = (host: string, more: Partial<RegistryOptions> = {}) =>
  createRegistryClient(registryOptions(more)).getManifest(parseReference(`${host}/app:1`), never);
const skipped = address !== undefined && hasOpenssl ? '' : ' (skipped: needs openssl and an address that is not loopback)';

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const certificate = () => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=test', '-addext', `subjectAltName=IP:${address ?? '127.0.0.1'}`];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      cert,
      ...subject,
    ],
    {
      stdio: 'ignore',
    },
  );
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
};

describe.skipIf(skipped !== '')(`hosts that are not loopback${skipped}`, () => {
  const server = (tls?: ReturnType<typeof certificate>) =>
    faultRegistryOn(address as string, (_, response) => response.writeHead(200).end('{}'), tls);
  const HTTP = { http: 'http-allowed', certificates: 'verify' } as const;
  const UNVERIFIED = { http: 'https-only', certificates: 'accept-any' } as const;

  test('plain HTTP is refused, and the error names the flag', async () => {
    await using registry = await server();
    await expect(pull(registry.host)).rejects.toMatchObject({
      message: `${registry.host} does not speak HTTPS`,
      hint: expect.stringContaining(`--insecure-registry=${registry.host}`),
    });
    await expect(pull(registry.host, { push: HTTP })).rejects.toMatchObject({ code: 'REGISTRY_FAILED' });
    expect(registry.seen).toHaveLength(0);
  });

  test.each([['--insecure-pull'], ['--insecure-registry']])('%s allows plain HTTP', async (flag) => {
    await using registry = await server();
    await pull(registry.host, flag === '--insecure-pull' ? { pull: HTTP } : { httpHosts: [registry.host] });
    expect(registry.seen).toHaveLength(1);
  });

  test('a certificate that nobody vouches for is refused, and the error names the flag', async () => {
    await using registry = await server(certificate());
    await expect(pull(registry.host)).rejects.toMatchObject({
      message: expect.stringContaining('is not trusted'),
      hint: expect.stringContaining(`--skip-tls-verify-registry=${registry.host}`),
    });
    expect(registry.seen).toHaveLength(0);
  });

  test.each([
    ['--skip-tls-verify-pull', (_: string) => ({ pull: UNVERIFIED })],
    ['--skip-tls-verify-registry', (host: string) => ({ unverifiedHosts: [host] })],
    ['--insecure-registry', (host: string) => ({ httpHosts: [host] })],
  ])('%s accepts it', async (_, more) => {
    await using registry = await server(certificate());
    await pull(registry.host, more(registry.host));
    expect(registry.seen.at(-1)?.url).toBe('/v2/app/manifests/1');
  });

  test('a redirect from HTTPS to plain HTTP is refused', async () => {
    await using plain = await server();
    await using registry = await faultRegistryOn(
      address as string,
      (_, response) => response.writeHead(307, { location: `http://${plain.host}/x` }).end(),
      certificate(),
    );
    await expect(pull(registry.host, { unverifiedHosts: [registry.host] })).rejects.toMatchObject({
      message: expect.stringContaining('from HTTPS to plain HTTP'),
    });
    expect(plain.seen).toHaveLength(0);
  });

  test('a token server in plain HTTP is refused when the registry speaks HTTPS', async () => {
    await using plain = await server();
    await using registry = await faultRegistryOn(
      address as string,
      (_, response) => response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${plain.host}/token"` }).end(),
      certificate(),
    );
    await expect(pull(registry.host, { unverifiedHosts: [registry.host] })).rejects.toMatchObject({
      message: expect.stringContaining('token server'),
    });
    expect(plain.seen).toHaveLength(0);
  });
});

describe('loopback addresses', () => {
  test('are spoken to in plain HTTP without any TLS before', async () => {
    const firstBytes: string[] = [];
    await using registry = await faultRegistryOn('127.0.0.1', (_, response) => response.writeHead(200).end('{}'));
    await using counting = await firstByteServer((first, socket) => {
      firstBytes.push(String.fromCharCode(first));
      socket.pipe(connect(Number(registry.host.split(':')[1]), '127.0.0.1')).pipe(socket);
    });
    await pull(counting.host);
    expect(new Set(firstBytes)).toEqual(new Set(['G']));
    expect(registry.seen.map(({ url }) => url)).toEqual(['/v2/app/manifests/1']);
  });

  test.skipIf(!hasOpenssl).each([
    ['ends such connections', ''],
    ['answers with a 400', 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.'],
    ['redirects', 'HTTP/1.1 301 Moved\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n'],
    ['requires an upgrade', 'HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.2\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n'],
  ])('are spoken to in HTTPS where plain HTTP is not wanted: the server %s', async (_, answer) => {
    const seen: string[] = [];
    const secure = createTlsServer(certificate(), (request, response) => {
      seen.push(request.url ?? '');
      response.end('{}');
    });
    await using registry = await firstByteServer((first, socket) => {
      if (first === 22) secure.emit('connection', socket);
      else socket.end(answer);
    });
    await pull(registry.host);
    expect(seen).toEqual(['/v2/', '/v2/app/manifests/1']);
  });
});

/** Hands on each connection with its first byte, which is still to be read. TLS begins with 22. */
async function firstByteServer(onConnection: (first: number, socket: Socket) => void) {
  const server = createNetServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (data) => {
      socket.pause();
      socket.unshift(data);
      onConnection(data[0] ?? 0, socket);
    });
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
