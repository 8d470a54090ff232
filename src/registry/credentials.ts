/**
 * Credentials of registries as Docker and its relatives keep them in config.json. Nothing is read, and no helper program
 * runs, before a registry asks for credentials. Reference: docker/cli config file; containers-auth.json(5) for keys with paths.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { isDockerHub } from '../image/reference.ts';
import type { Credential } from './credential.ts';
import { askCredentialHelper } from './credential-helper.ts';

export interface Credentials {
  /** Null: none are configured. `path`: the repository without its host. Throws AUTH_CONFIG_INVALID. */
  find(registry: string, path: string): Promise<Credential | null>;
}

export interface AuthEntry {
  readonly auth?: unknown;
  readonly username?: unknown;
  readonly password?: unknown;
  readonly identitytoken?: unknown;
  readonly registrytoken?: unknown;
}

export interface DockerConfig {
  readonly auths: ReadonlyMap<string, AuthEntry>;
  readonly credHelpers: ReadonlyMap<string, string>;
  readonly credsStore: string | null;
}

/** The key under which Docker's helpers know Docker Hub. */
const HUB_SERVER = 'https://index.docker.io/v1/';

/** The key of a Kubernetes Secret of credentials: the file's name where a pod mounts the Secret without giving it another. */
export const SECRET_KEY = '.dockerconfigjson';

/** The files that may hold credentials; the first that exists counts. `DOCKER_CONFIG` names a folder and stands alone. */
export function dockerConfigFiles(env: Readonly<Record<string, string | undefined>>, homeFolder: string): readonly string[] {
  const folder = env['DOCKER_CONFIG'];
  const folders = folder !== undefined && folder !== '' ? [folder] : [join(homeFolder, '.docker'), '/kaniko/.docker'];
  return folders.flatMap((one) => [join(one, 'config.json'), join(one, SECRET_KEY)]);
}

/** Credentials from the first of `files` that exists; it is read once. `env` is what helper programs get. */
export function dockerCredentials(files: readonly string[], env: Readonly<Record<string, string | undefined>>): Credentials {
  let loading: Promise<{ config: DockerConfig; file: string } | null> | undefined;
  return {
    async find(registry, path) {
      loading ??= readFirst(files);
      const loaded = await loading;
      if (loaded === null) return null;
      const { config, file } = loaded;
      const host = isDockerHub(registry) ? 'docker.io' : registry;
      const helper = config.credHelpers.get(host) ?? config.credsStore;
      if (helper !== null) {
        const answer = await askCredentialHelper(helper, host === 'docker.io' ? HUB_SERVER : registry, env);
        if (answer !== null) return answer;
      }
      return fromAuths(config.auths, host, path, file);
    },
  };
}

/** The longest key that is the repository or a folder above it wins; a key never matches by its end alone. */
function fromAuths(auths: DockerConfig['auths'], host: string, path: string, file: string): Credential | null {
  const parts = path.split('/');
  for (let length = parts.length; length >= 0; length--) {
    const key = [host, ...parts.slice(0, length)].join('/');
    const entry = auths.get(key);
    if (entry !== undefined) return credentialOf(entry, `${file}: the entry of ${key}`);
  }
  return null;
}

function credentialOf(entry: AuthEntry, where: string): Credential | null {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const [username, password] =
    entry.auth === undefined || entry.auth === '' ? [text(entry.username), text(entry.password)] : decodeAuth(entry.auth, where);
  if (text(entry.registrytoken) !== '') return { kind: 'registry-token', token: text(entry.registrytoken) };
  if (text(entry.identitytoken) !== '') return { kind: 'identity-token', username, token: text(entry.identitytoken) };
  // `docker login` leaves an empty entry where a credentials store holds the secret.
  return username === '' && password === '' ? null : { kind: 'password', username, password };
}

/** base64 of `user:password`; the password may hold colons, and old clients padded with NUL. */
function decodeAuth(auth: unknown, where: string): [string, string] {
  const decoded = typeof auth === 'string' ? Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '') : '';
  const colon = decoded.indexOf(':');
  if (colon < 0) throw new TsbuildError('AUTH_CONFIG_INVALID', `${where}: "auth" is not base64 of user:password`);
  return [decoded.slice(0, colon), decoded.slice(colon + 1)];
}

async function readFirst(files: readonly string[]): Promise<{ config: DockerConfig; file: string } | null> {
  for (const file of files) {
    const config = await readCredentialFile(file);
    if (config !== null) return { config, file };
  }
  return null;
}

/** Null: there is no such file. Throws AUTH_CONFIG_INVALID. */
export async function readCredentialFile(file: string): Promise<DockerConfig | null> {
  try {
    return parseConfig(await readFile(file, 'utf8'), file);
  } catch (cause) {
    if (cause instanceof TsbuildError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new TsbuildError('AUTH_CONFIG_INVALID', `cannot read ${file}: ${message}`, { cause });
  }
}

function parseConfig(text: string, file: string): DockerConfig {
  // JSON.parse quotes the text in its message: the file holds secrets.
  const invalid = (why: string): TsbuildError => new TsbuildError('AUTH_CONFIG_INVALID', `${file} is not a Docker config file: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
  const objectAt = (parent: unknown, key: string): Record<string, unknown> => {
    const found = isRecord(parent) ? (parent[key] ?? {}) : null;
    if (!isRecord(found)) throw invalid(`"${key}" is not an object`);
    return found;
  };
  if (!isRecord(value)) throw invalid('it is not an object');
  const auths = Object.entries(objectAt(value, 'auths')).map(([key, entry]): [string, AuthEntry] => {
    if (!isRecord(entry)) throw invalid(`the entry of ${serverKey(key)} is not an object`);
    return [serverKey(key), entry];
  });
  const helpers = Object.entries(objectAt(value, 'credHelpers')).map(([key, name]): [string, string] => {
    if (typeof name !== 'string') throw invalid(`the helper of ${serverKey(key)} is not a name`);
    return [serverKey(key), name];
  });
  const store = value['credsStore'] ?? '';
  if (typeof store !== 'string') throw invalid('"credsStore" is not a name');
  return { auths: new Map(auths), credHelpers: new Map(helpers), credsStore: store === '' ? null : store };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `https://index.docker.io/v1/` is `docker.io`; `https://host/v2/` is `host`; paths of repositories stay. */
function serverKey(key: string): string {
  const plain = key.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '');
  const slash = plain.indexOf('/');
  const host = slash < 0 ? plain : plain.slice(0, slash);
  return `${isDockerHub(host) ? 'docker.io' : host}${slash < 0 ? '' : plain.slice(slash)}`;
}
