/**
 * Files that the parser refuses, at random: the planner looks at the rest of them without failing itself, keeps every
 * fault of the parser, and finds nothing in a rest that has no fault of its own.
 */
import { expect, test } from 'vitest';
import { readDockerfile } from '../../../src/dockerfile/parse.ts';
import { TsbuildErrors } from '../../../src/errors.ts';
import { knownFaults, missingBases } from '../../../src/plan/outline.ts';
import type { PlanInputs } from '../../../src/plan/plan.ts';
import { mutated, ordinaryDockerfile, randomFrom, wildDockerfile } from '../dockerfile/random-dockerfile.ts';

const platform = { os: 'linux', architecture: 'amd64' } as const;
const inputs: PlanInputs = {
  target: null,
  buildArgs: new Map(),
  labels: new Map(),
  contexts: new Map(),
  platform,
  buildPlatform: platform,
};

function words(errors: readonly { readonly at?: { readonly startLine: number } | undefined; readonly message: string }[]): string[] {
  return errors.map(({ at, message }) => `${at?.startLine}: ${message}`);
}

test('the planner takes whatever the parser leaves, and nothing of the parser is lost', () => {
  let refused = 0;
  for (let seed = 1; seed <= 1500; seed++) {
    const random = randomFrom(seed);
    const bytes = mutated(Buffer.from(seed % 2 === 0 ? wildDockerfile(random) : ordinaryDockerfile(random)), random);
    try {
      const parsed = readDockerfile(bytes, 'Dockerfile');
      if (parsed.errors.length === 0) continue;
      refused++;
      expect(words(knownFaults(parsed, inputs))).toEqual(expect.arrayContaining(words(parsed.errors)));
    } catch (error) {
      if (error instanceof TsbuildErrors) continue;
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  expect(refused).toBeGreaterThan(100);
});

test('one broken instruction of a sound file brings no other fault with it', () => {
  let broken = 0;
  for (let seed = 1; seed <= 1500; seed++) {
    const random = randomFrom(seed);
    const text = ordinaryDockerfile(random);
    const sound = readDockerfile(Buffer.from(text), 'Dockerfile');
    if (sound.errors.length > 0 || knownFaults(sound, inputs).length > 0) continue;
    const lines = text.split('\n');
    const { at, keyword } = random.pick(sound.instructions as [(typeof sound.instructions)[number], ...typeof sound.instructions]);
    const line = lines[at.startLine - 1] ?? '';
    // Only a word like FROM is believed to be one.
    const other = keyword === 'FROM' ? 'FORM' : '&&';
    const mistyped = random.pick([
      `x${keyword}`,
      `${keyword.charAt(1)}${keyword.charAt(0)}${keyword.slice(2)}`,
      `${keyword}S`,
      other,
      'FORM',
    ]);
    lines[at.startLine - 1] = random.int(3) === 0 ? `${keyword} --nonsense` : line.replace(/^\s*\S+/, mistyped);
    const parsed = readDockerfile(Buffer.from(lines.join('\n')), 'Dockerfile');
    if (parsed.errors.length === 0) continue;
    broken++;
    expect([seed, ...words(knownFaults(parsed, inputs))]).toEqual([seed, ...words(parsed.errors)]);
  }
  expect(broken).toBeGreaterThan(300);
});

test('what is known of a file that the parser takes is the same as without this round', () => {
  const parsed = readDockerfile(Buffer.from('FROM alpine AS a\nCOPY --from=7 x y\n'), 'Dockerfile');
  expect(() => missingBases(parsed, inputs, new Map())).toThrow('there is no stage 7');
  expect(words(knownFaults(parsed, inputs))).toEqual(['2: there is no stage 7']);
});
