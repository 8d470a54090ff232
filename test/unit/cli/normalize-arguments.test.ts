import { expect, test } from 'vitest';
import { normalizeArguments } from '../../../src/cli/normalize-arguments.ts';

const flags = [
  { name: 'destination', short: 'd', kind: 'list' },
  { name: 'target', kind: 'value' },
  { name: 'no-push', kind: 'boolean' },
  { name: 'help', short: 'h', kind: 'switch' },
] as const;

test.each([
  [['--destination', 'a'], ['--destination=a']],
  [['--destination=a'], ['--destination=a']],
  [['-d', 'a'], ['--destination=a']],
  [['-d=a'], ['--destination=a']],
  [['-da'], ['--destination=a']],
  [['--target='], ['--target=']],
  [['--target', ''], ['--target=']],
  [['--target=a=b'], ['--target=a=b']],
  // pflag takes the next word, whatever it looks like.
  [
    ['--target', '--no-push', '--no-push'],
    ['--target=--no-push', '--no-push=true'],
  ],
  [['--no-push'], ['--no-push=true']],
  [['--no-push=false'], ['--no-push=false']],
  // A boolean takes no second word: "false" is an argument of its own.
  [
    ['--no-push', 'false'],
    ['--no-push=true', 'false'],
  ],
  [['-h'], ['-h']],
  [['--unknown=1'], ['--unknown=1']],
  [
    ['--', '-d', 'a'],
    ['--', '-d', 'a'],
  ],
])('%j is read as %j', (argv, expected) => {
  expect(normalizeArguments(argv, flags)).toEqual({ arguments: expected, withoutValue: [] });
});

test('a flag at the end without its value is told as it was typed', () => {
  expect(normalizeArguments(['--no-push', '-d'], flags)).toEqual({ arguments: ['--no-push=true'], withoutValue: ['-d'] });
});
