import { expect, test } from 'vitest';
import { bytesOf, textOf } from '../../../src/bytes/byte-path.ts';

test.each([
  ['plain', 'plain'],
  ['é/🖖', 'é/🖖'],
  ['a\nb\tc\rd', 'a\\nb\\tc\\rd'],
  ['\x1b[2J\x07\x7f', '\\x1b[2J\\x07\\x7f'],
  ['\u0085\u202egnp', '\\x85\\u{202e}gnp'],
])('a name for people stays within its line and moves nothing: %j', (name, shown) => {
  expect(textOf(bytesOf(name))).toBe(shown);
});

test('what is not UTF-8 is shown as one replacement character each', () => {
  expect(textOf('a\xff\xfeb')).toBe('a\ufffd\ufffdb');
});
