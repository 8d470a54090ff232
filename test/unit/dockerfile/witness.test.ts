/**
 * The npm package dockerfile-ast as an independent witness: on ordinary files it sees the same instructions on the same
 * lines, and its ranges of flags and arguments are where our errors point. Where it is no witness (BuildKit differs from
 * it in escapes, heredocs and much else), the other tests of this folder stand alone.
 */
import { DockerfileParser, type ModifiableInstruction } from 'dockerfile-ast';
import { describe, expect, test } from 'vitest';
import { parseDockerfile } from '../../../src/dockerfile/parse.ts';
import { TsbuildErrors } from '../../../src/errors.ts';
import { parse } from './dockerfiles.ts';
import { ordinaryDockerfile, randomFrom } from './random-dockerfile.ts';

interface Place {
  readonly line: number;
  readonly column: number;
  readonly width: number;
}

/** Where the parser says the only fault is. */
function faultOf(text: string): Place {
  try {
    parseDockerfile(Buffer.from(text), 'Dockerfile');
  } catch (error) {
    if (!(error instanceof TsbuildErrors)) throw error;
    const [{ at } = {}, second] = error.errors;
    if (at?.column === undefined || at.width === undefined || second !== undefined)
      throw new Error(`not one fault with a column: ${error.message}`);
    return { line: at.startLine, column: at.column, width: at.width };
  }
  throw new Error('no fault was found');
}

function placeOf(range: { start: { line: number; character: number }; end: { line: number; character: number } }): Place {
  return { line: range.start.line + 1, column: range.start.character, width: range.end.character - range.start.character };
}

describe('dockerfile-ast', () => {
  test('sees the same keywords on the same lines in ordinary files', () => {
    for (let seed = 1; seed <= 1000; seed++) {
      const text = ordinaryDockerfile(randomFrom(seed));
      const theirs = DockerfileParser.parse(text)
        .getInstructions()
        .map((one) => [one.getKeyword(), one.getRange().start.line + 1, one.getRange().end.line + 1]);
      const ours = parse(text).instructions.map(({ keyword, at }) => [keyword, at.startLine, at.endLine]);
      expect(ours, `seed ${seed}`).toEqual(theirs);
    }
  });

  test.each([
    'FROM x\nCOPY --form=a b /c',
    'FROM x\n  COPY   --chown=1 --form=a b /c',
    'FROM x\nCOPY --chown=1 \\\n     --form=a \\\n b /c',
    'FROM x\n\n# comment\nRUN --netwerk=none \\\n make',
    'FROM --plaform=a x',
    'FROM x\nHEALTHCHECK --intervall=5s CMD true',
    'FROM x\r\nADD --zzzzzzzzz=1 \\\r\n a /b\r\n',
  ])('finds the wrong flag where our error points: %j', (text) => {
    const instruction = DockerfileParser.parse(text).getInstructions().at(-1) as ModifiableInstruction;
    const wrong = instruction.getFlags().find((flag) => !['chown'].includes(flag.getName()));
    if (wrong === undefined) throw new Error('dockerfile-ast sees no such flag');
    expect(faultOf(text)).toEqual(placeOf(wrong.getRange()));
  });

  test.each([
    ['FROM x builder', 1],
    ['FROM x \\\n  builder', 1],
    ['FROM x AS \\\n  # c\n 1up', 2],
    ['FROM x\nENV A=1 \\\n    B \\\n    C=3', 1],
    ['FROM x\nLABEL a=b c', 1],
    ['FROM x\nHEALTHCHECK NONE   really', 1],
    ['FROM x\nCOPY onlyone', 0],
  ])('finds the wrong argument of %j where our error points', (text, index) => {
    const argument = DockerfileParser.parse(text).getInstructions().at(-1)?.getArguments()[index];
    if (argument === undefined) throw new Error('dockerfile-ast sees no such argument');
    expect(faultOf(text)).toEqual(placeOf(argument.getRange()));
  });
});
