import { expect, test } from 'vitest';
import { familiarReference, formatReference, parseReference, repositoryOf, withDefaultTag } from '../../../src/image/reference.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

test.each([
  ['debian', 'docker.io/library/debian'],
  ['debian:12', 'docker.io/library/debian:12'],
  ['moby/buildkit', 'docker.io/moby/buildkit'],
  ['docker.io/debian', 'docker.io/library/debian'],
  ['index.docker.io/library/debian', 'docker.io/library/debian'],
  ['localhost/x', 'localhost/x'],
  ['localhost:5000/x:y', 'localhost:5000/x:y'],
  ['127.0.0.1:5000/a/b/c', '127.0.0.1:5000/a/b/c'],
  ['[::1]:5000/a', '[::1]:5000/a'],
  ['reg.example/a', 'reg.example/a'],
  ['reg/a', 'docker.io/reg/a'],
  ['a_b/c__d/e.f-g---h', 'docker.io/a_b/c__d/e.f-g---h'],
  [`debian@${DIGEST}`, `docker.io/library/debian@${DIGEST}`],
  [`reg.example:1/a/b:t@${DIGEST}`, `reg.example:1/a/b:t@${DIGEST}`],
  ['Reg.Example/a', 'Reg.Example/a'],
])('%s is %s', (text, full) => {
  const reference = parseReference(text);
  expect(formatReference(reference)).toBe(full);
  expect(parseReference(full)).toEqual(reference);
});

test('a reference has its parts', () => {
  const reference = parseReference(`reg.example:1/a/b:t@${DIGEST}`);
  expect(reference).toEqual({ registry: 'reg.example:1', repository: 'a/b', tag: 't', digest: DIGEST });
  expect(repositoryOf(reference)).toBe('reg.example:1/a/b');
});

test.each([
  ['', 'is empty'],
  ['Debian', 'lower case'],
  ['docker.io/Library/debian', 'lower case'],
  [':tag', 'the name is missing'],
  ['reg.example/', 'the name is missing'],
  ['a//b', 'is empty'],
  ['/a', 'is empty'],
  ['a:', 'is not a tag'],
  ['a:-x', 'is not a tag'],
  [`a:${'x'.repeat(129)}`, 'is not a tag'],
  ['a b', 'not a part of a name'],
  ['a_-b', 'not a part of a name'],
  ['-a', 'not a part of a name'],
  ['reg_x.example/a', "not a registry's host"],
  ['http://reg.example/a', "not a registry's host"],
  ['a@sha256:abc', 'not a sha256 digest'],
  ['a@sha512:abc', 'not a sha256 digest'],
  ['0123456789abcdef'.repeat(4), '64 hex digits'],
  [`reg.example/${'a/'.repeat(130)}b`, 'longer than 255'],
])('"%s" is refused: %s', (text, why) => {
  expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'REFERENCE_INVALID', message: expect.stringContaining(why) }));
});

test('upper case gets the spelling that works as a hint', () => {
  expect(() => parseReference('reg.example/My/App:V1')).toThrow(expect.objectContaining({ hint: 'write reg.example/my/app:V1' }));
});

test('latest stands for no tag and no digest', () => {
  expect(withDefaultTag(parseReference('a')).tag).toBe('latest');
  expect(withDefaultTag(parseReference('a:b')).tag).toBe('b');
  expect(withDefaultTag(parseReference(`a@${DIGEST}`)).tag).toBeUndefined();
});

test.each([
  ['docker.io/library/debian:12', 'debian:12'],
  ['docker.io/moby/buildkit', 'moby/buildkit'],
  ['reg.example/library/x', 'reg.example/library/x'],
])('Docker shows %s as %s', (full, short) => {
  expect(familiarReference(parseReference(full))).toBe(short);
});
