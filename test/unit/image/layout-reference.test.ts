import { expect, test } from 'vitest';
import { layoutReference, parseLayoutReference } from '../../../src/image/layout-reference.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

test.each([
  ['dir', 'dir', null, null],
  ['dir:tag', 'dir', 'tag', null],
  ['../a:b/dir', '../a:b/dir', null, null],
  [`dir@${digest}`, 'dir', null, digest],
  [`oci-layout:///a@b/dir:tag@${digest}`, '/a@b/dir', 'tag', digest],
])('%s', (text, folder, tag, expected) => {
  const parsed = parseLayoutReference(text);
  expect(parsed).toEqual({ folder, tag, digest: expected });
  expect(parseLayoutReference(layoutReference(parsed))).toEqual(parsed);
});

test.each(['', ':tag', 'dir:', `@${digest}`])('"%s" names no image', (text) => {
  expect(() => parseLayoutReference(text)).toThrow('is not an image in an OCI layout');
});

test('what follows the last @ is a digest or nothing', () => {
  expect(() => parseLayoutReference('dir:1.2@latest')).toThrow('"latest" is not a sha256 digest');
});
