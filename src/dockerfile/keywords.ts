/**
 * The instruction keywords and how a word becomes one. Only ASCII letters match, in any case: `uſer` is not USER.
 * Source: BuildKit frontend/dockerfile/command.
 */
import type { Keyword } from './instruction.ts';

/** Ordered so that the likelier one wins when a mistyped word is as near to two of them. */
export const KEYWORDS: readonly Keyword[] = [
  'FROM',
  'RUN',
  'COPY',
  'ENV',
  'ARG',
  'CMD',
  'WORKDIR',
  'USER',
  'EXPOSE',
  'ENTRYPOINT',
  'LABEL',
  'ADD',
  'VOLUME',
  'HEALTHCHECK',
  'SHELL',
  'STOPSIGNAL',
  'ONBUILD',
  'MAINTAINER',
];

const BY_NAME: ReadonlyMap<string, Keyword> = new Map(KEYWORDS.map((keyword) => [keyword, keyword]));

/** Undefined when the word is no instruction. */
export function keywordOf(word: string): Keyword | undefined {
  return /^[A-Za-z]+$/.test(word) ? BY_NAME.get(word.toUpperCase()) : undefined;
}
