import { expect, test } from 'vitest';
import { parseChallenges } from '../../../src/registry/challenge.ts';

function plain(header: string): unknown {
  return parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

test.each([
  ['one challenge', 'Bearer realm="https://auth/token",service="reg"', [['bearer', { realm: 'https://auth/token', service: 'reg' }]]],
  [
    'commas inside quotes',
    'Bearer realm="https://a/t",scope="repository:x:pull,push"',
    [['bearer', { realm: 'https://a/t', scope: 'repository:x:pull,push' }]],
  ],
  [
    'several challenges in one header',
    'Basic realm="b", Bearer realm="https://a", service=s',
    [
      ['basic', { realm: 'b' }],
      ['bearer', { realm: 'https://a', service: 's' }],
    ],
  ],
  ['values without quotes', 'bearer Realm=https://a/t,Service=reg.io', [['bearer', { realm: 'https://a/t', service: 'reg.io' }]]],
  ['escapes inside quotes', 'Basic realm="a \\"b\\" \\\\c"', [['basic', { realm: 'a "b" \\c' }]]],
  ['a scheme alone', 'Basic', [['basic', {}]]],
  [
    'the token68 form before another challenge',
    'Negotiate abc==, Basic realm="x"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  ['spaces around the equals sign', 'Bearer realm = "https://a" , service = "s"', [['bearer', { realm: 'https://a', service: 's' }]]],
  ['nothing', '', []],
  ['rubbish', '"', []],
  ['a value that is not closed', 'Bearer realm="https://a', [['bearer', {}]]],
])('reads %s', (_, header, expected) => {
  expect(plain(header)).toEqual(expected);
});
