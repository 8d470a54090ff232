import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerConfigFiles, dockerCredentials } from '../../../src/registry/credentials.ts';

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tsbuild-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function from(config: unknown, env: Record<string, string> = {}) {
  const file = join(folder, `config-${count++}.json`);
  await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config));
  return dockerCredentials([join(folder, 'missing.json'), file], env);
}

const auth = (text: string) => Buffer.from(text).toString('base64');
const password = (username: string, secret: string) => ({ kind: 'password', username, password: secret });

describe('keys of auths', () => {
  const config = {
    auths: {
      'https://index.docker.io/v1/': { auth: auth('hub:1') },
      'reg.example:5000': { auth: auth('port:2') },
      'https://ghcr.io/v2/': { auth: auth('v2:3') },
      'multi.example': { auth: auth('host:4') },
      'multi.example/team': { auth: auth('team:5') },
      'multi.example/team/app': { auth: auth('app:6') },
    },
  };
  test.each([
    ['docker.io', 'library/x', 'hub'],
    ['index.docker.io', 'library/x', 'hub'],
    ['reg.example:5000', 'x', 'port'],
    ['ghcr.io', 'a/b', 'v2'],
    ['multi.example', 'other', 'host'],
    ['multi.example', 'teamwork/x', 'host'],
    ['multi.example', 'team/x', 'team'],
    ['multi.example', 'team/app', 'app'],
    ['multi.example', 'team/app/deep', 'app'],
  ])('%s/%s uses the entry of %s', async (registry, path, user) => {
    expect(await (await from(config)).find(registry, path)).toMatchObject({ username: user });
  });
  test.each(['evil-docker.io', 'docker.io.example', 'reg.example', 'reg.example:5001'])('%s has no entry', async (registry) => {
    expect(await (await from(config)).find(registry, 'library/x')).toBeNull();
  });
});

test.each([
  ['a password with colons', { auth: auth('u:a:b:c') }, password('u', 'a:b:c')],
  ['NUL padding of old clients', { auth: auth('u:p\0\0') }, password('u', 'p')],
  ['plain fields', { username: 'u', password: 'p' }, password('u', 'p')],
  ['an identity token', { auth: auth('u:'), identitytoken: 'tok' }, { kind: 'identity-token', username: 'u', token: 'tok' }],
  ['a registry token', { registrytoken: 'tok' }, { kind: 'registry-token', token: 'tok' }],
  ['the empty entry that docker login leaves beside a store', {}, null],
])('reads %s', async (_, entry, expected) => {
  expect(await (await from({ auths: { 'r.example': entry } })).find('r.example', 'x')).toEqual(expected);
});

test('no file means no credentials', async () => {
  expect(await dockerCredentials([join(folder, 'missing.json')], {}).find('r.example', 'x')).toBeNull();
});

test.each([
  ['no JSON', '{"auths": {"r.example": {"auth": "SECRET"'],
  ['auths that is a list', { auths: [] }],
  ['an auth without a colon', { auths: { 'r.example': { auth: auth('SECRET') } } }],
])('%s is AUTH_CONFIG_INVALID and shows no secret', async (_, config) => {
  const error = await (await from(config)).find('r.example', 'x').then(
    () => null,
    (e: Error) => e,
  );
  expect(error).toMatchObject({ code: 'AUTH_CONFIG_INVALID' });
  expect(error?.message).not.toContain('SECRET');
});

test('DOCKER_CONFIG stands alone, else home comes before /kaniko', () => {
  expect(dockerConfigFiles({ DOCKER_CONFIG: '/d' }, '/home/u')).toEqual(['/d/config.json', '/d/.dockerconfigjson']);
  expect(dockerConfigFiles({}, '/home/u')).toEqual([
    '/home/u/.docker/config.json',
    '/home/u/.docker/.dockerconfigjson',
    '/kaniko/.docker/config.json',
    '/kaniko/.docker/.dockerconfigjson',
  ]);
});

describe('credential helpers', () => {
  const helper = async (name: string, script: string) => {
    const path = join(folder, `docker-credential-${name}`);
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
  };
  const env = () => ({ PATH: `${folder}:/usr/bin:/bin` });

  test('a helper of the host is asked with the server name on its input', async () => {
    await helper('one', 'read server; echo "{\\"Username\\":\\"$1\\",\\"Secret\\":\\"$server\\"}"');
    const credentials = await from({ credHelpers: { 'r.example': 'one' } }, env());
    expect(await credentials.find('r.example', 'x')).toEqual(password('get', 'r.example'));
    expect(await credentials.find('other.example', 'x')).toBeNull();
  });
  test('the store is asked for Docker Hub by its old name, and a <token> is an identity token', async () => {
    await helper('two', 'read server; echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"$server\\"}"');
    expect(await (await from({ credsStore: 'two' }, env())).find('docker.io', 'library/x')).toEqual({
      kind: 'identity-token',
      username: '<token>',
      token: 'https://index.docker.io/v1/',
    });
  });
  test('a helper that knows nothing leaves it to auths', async () => {
    await helper('none', 'echo "credentials not found in native keychain"; exit 1');
    const credentials = await from({ credsStore: 'none', auths: { 'r.example': { auth: auth('u:p') } } }, env());
    expect(await credentials.find('r.example', 'x')).toEqual(password('u', 'p'));
  });
  test.each([
    ['is missing', 'absent', null],
    ['fails', 'bad', 'echo SECRET; exit 3'],
    ['does not answer with JSON', 'text', 'echo SECRET'],
  ])('a helper that %s is AUTH_CONFIG_INVALID', async (_, name, script) => {
    if (script !== null) await helper(name, script);
    const error = await (await from({ credHelpers: { 'r.example': name } }, env())).find('r.example', 'x').catch((e: Error) => e);
    expect(error).toMatchObject({ code: 'AUTH_CONFIG_INVALID' });
    expect((error as Error).message).not.toContain('SECRET');
  });
});
