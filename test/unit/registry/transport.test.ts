/** Needs an address of this machine that is not loopback, because loopback may always be plain HTTP. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
const skipped = address !== undefined && hasOpenssl ? '' : ' (skipped: needs openssl and an address that is not loopback)';

describe.skipIf(skipped !== '')(`hosts that are not loopback${skipped}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const certificate = () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=test', '-addext', `subjectAltName=IP:${address}`];
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

  const server = (tls?: ReturnType<typeof certificate>) =>
    faultRegistryOn(address as string, (_, response) => response.writeHead(200).end('{}'), tls);
  const pull = (host: string, more: Partial<RegistryOptions> = {}) =>
    createRegistryClient(registryOptions(more)).getManifest(parseReference(`${host}/app:1`), never);

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
