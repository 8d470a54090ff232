import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSecret } from '../../../src/cli/parse-secret.ts';

let cwd: string;
const world = () => ({ cwd, env: { TOKEN: 'x' } });

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'tsbuild-secret-'));
  for (const name of ['file', 'a,b']) writeFileSync(join(cwd, name), '');
});
afterAll(() => rmSync(cwd, { recursive: true }));

test.each([
  ['id=s,src=file', 'file'],
  ['id=s,source=file', 'file'],
  ['type=file,id=s,src=file', 'file'],
  ['id=s,"src=a,b"', 'a,b'],
])('%s is a file', (text, path) => {
  expect(parseSecret(text, world())).toEqual({ id: 's', from: { kind: 'file', path: join(cwd, path) } });
});

test.each([['id=s,env=TOKEN'], ['id=s,type=env,src=TOKEN']])('%s is a variable', (text) => {
  expect(parseSecret(text, world())).toEqual({ id: 's', from: { kind: 'env', name: 'TOKEN' } });
});

test('an id alone is a variable of that name, else a file', () => {
  expect(parseSecret('id=TOKEN', world())).toEqual({ id: 'TOKEN', from: { kind: 'env', name: 'TOKEN' } });
  expect(parseSecret('id=file', world())).toEqual({ id: 'file', from: { kind: 'file', path: join(cwd, 'file') } });
});

test.each([
  ['src=file', 'id is missing'],
  ['id=s', 'there is neither a variable nor a file "s"'],
  ['id=s,src=none', 'the file none of secret "s" does not exist'],
  ['id=s,src=.', '. of secret "s" is a folder'],
  ['id=s,src=file,env=TOKEN', '"s" has both src and env'],
  ['id=s,type=socket,src=file', 'type cannot be "socket"'],
])('%s: %s', (text, message) => {
  expect(() => parseSecret(text, world())).toThrow(message);
});

test('a value that was written in place of a field is not repeated', () => {
  for (const text of ['id=s,hunter2', 'id=s,hunter2=x']) {
    expect(() => parseSecret(text, world())).toThrow(/^field 2 is none of id=, src=, env= and type=$/);
  }
});
