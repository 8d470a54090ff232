/** --secret values: `id=NAME,src=FILE`, `id=NAME,env=VARIABLE`, `id=NAME`. Reference: Docker's buildx build --secret. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { TsbuildError } from '../errors.ts';
import type { SecretOption } from './options.ts';

export interface SecretWorld {
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The secret's place is checked, its content not read. Throws USAGE, SECRET_NOT_FOUND. */
export function parseSecret(text: string, world: SecretWorld): SecretOption {
  const fields = fieldsOf(text);
  const id = fields.get('id') ?? '';
  if (id === '')
    throw new TsbuildError('USAGE', 'id is missing', { hint: 'write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE' });
  const src = fields.get('src') ?? fields.get('source');
  const env = fields.get('env');
  const type = fields.get('type');
  if (type !== undefined && type !== 'file' && type !== 'env') {
    throw new TsbuildError('USAGE', `type cannot be "${type}"`, { hint: 'type is file or env' });
  }
  if (src !== undefined && env !== undefined) {
    throw new TsbuildError('USAGE', `"${id}" has both src and env`, { hint: 'a secret comes from a file or from a variable' });
  }
  // Docker: type=env makes src the name of a variable; an id alone is a variable of that name, else a file.
  if (env !== undefined) return fromEnv(id, env, world);
  if (type === 'env') return fromEnv(id, src ?? id, world);
  if (src !== undefined) return fromFile(id, src, world);
  if (type !== 'file' && world.env[id] !== undefined) return fromEnv(id, id, world);
  if (existsSync(resolve(world.cwd, id))) return fromFile(id, id, world);
  throw new TsbuildError('SECRET_NOT_FOUND', `there is neither a variable nor a file "${id}"`, { hint: 'add src=FILE or env=VARIABLE' });
}

const KNOWN_FIELDS = ['id', 'src', 'source', 'env', 'type'];

/** Comma-separated `key=value`; a whole field may be quoted to hold commas. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const matches = [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)];
  for (const [position, [, quoted, bare]] of matches.entries()) {
    const field = quoted?.replaceAll('""', '"') ?? bare ?? '';
    const equals = field.indexOf('=');
    const key = field.slice(0, Math.max(equals, 0)).trim().toLowerCase();
    if (!KNOWN_FIELDS.includes(key)) {
      // Not quoted back: a user may have put the secret there.
      throw new TsbuildError('USAGE', `field ${position + 1} is none of id=, src=, env= and type=`, {
        hint: 'write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE',
      });
    }
    fields.set(key, field.slice(equals + 1));
  }
  return fields;
}

function fromEnv(id: string, name: string, world: SecretWorld): SecretOption {
  if (world.env[name] === undefined) {
    throw new TsbuildError('SECRET_NOT_FOUND', `the variable ${name} of secret "${id}" is not set`, {
      hint: `export ${name} before the build`,
    });
  }
  return { id, from: { kind: 'env', name } };
}

function fromFile(id: string, src: string, world: SecretWorld): SecretOption {
  const path = resolve(world.cwd, src);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new TsbuildError('SECRET_NOT_FOUND', `the file ${src} of secret "${id}" does not exist`, { hint: 'check src=' });
  if (stat.isDirectory()) throw new TsbuildError('SECRET_NOT_FOUND', `${src} of secret "${id}" is a folder`, { hint: 'src= names a file' });
  return { id, from: { kind: 'file', path } };
}
