/** Short ways for the tests of this folder to parse text and to look at what came out. */
import type { Instruction, ParsedDockerfile } from '../../../src/dockerfile/instruction.ts';
import { parseDockerfile } from '../../../src/dockerfile/parse.ts';
import { TsbuildErrors } from '../../../src/errors.ts';

export function parse(text: string | Uint8Array): ParsedDockerfile {
  return parseDockerfile(typeof text === 'string' ? Buffer.from(text) : text, 'Dockerfile');
}

/** The only instruction after `FROM x`. */
export function instruction(text: string): Instruction {
  const { instructions } = parse(`FROM x\n${text}`);
  const [, second] = instructions;
  if (instructions.length !== 2 || second === undefined) throw new Error(`${instructions.length - 1} instructions, not one`);
  return second;
}

/** Keyword and arguments of each instruction. */
export function outline(text: string): string[] {
  return parse(text).instructions.map(({ keyword, args }) => `${keyword} ${args}`);
}

/** `line: message` of each error; the text must be faulty. */
export function faults(text: string | Uint8Array): string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof TsbuildErrors) return error.errors.map(({ at, message }) => `${at?.startLine}: ${message}`);
    throw error;
  }
  throw new Error('no fault was found');
}

/** `line: message` of each warning. */
export function warnings(text: string): string[] {
  return parse(text).warnings.map(({ at, message }) => `${at?.startLine}: ${message}`);
}
