/**
 * One logical line as an instruction: keyword, flags, arguments and their form, ONBUILD's trigger within it. Does not
 * read heredoc bodies and does not count arguments. Reference: BuildKit frontend/dockerfile/parser (behaviour).
 */

import { nearest } from '../words/nearest.ts';
import type { Reporter } from './findings.ts';
import { flagFault, flagOf, scanFlagWords } from './flags.ts';
import type { Flag, Keyword } from './instruction.ts';
import { readArgumentForm } from './json-form.ts';
import { KEYWORDS, keywordOf } from './keywords.ts';
import { shown } from './visible.ts';
import { isBlank, skipSpaces } from './whitespace.ts';

/** An instruction of a line; its offsets count in the line's text. */
export interface Draft {
  readonly kind: 'instruction';
  readonly keyword: Keyword;
  readonly keywordOffset: number;
  readonly flags: readonly Flag[];
  readonly args: string;
  readonly argsOffset: number;
  readonly json: readonly string[] | null;
  /** False when an open quote swallowed the arguments; reported. */
  readonly complete: boolean;
  /** ONBUILD's; null when it has none or a wrong one, which has been reported. */
  readonly trigger: Draft | null;
}

/** No instruction; reported. `meant` is what it probably was. */
export interface UnknownDraft {
  readonly kind: 'unknown';
  /** As written. */
  readonly word: string;
  readonly meant: Keyword | undefined;
}

export interface LineContext {
  readonly report: Reporter;
  readonly ifUnknown: UnknownHint | undefined;
}

/** What the instruction before suggests about a line that is no instruction. `guess` yields to a keyword that is near. */
export interface UnknownHint {
  readonly weight: 'sure' | 'guess';
  readonly text: string;
}

const TAKES_JSON: ReadonlySet<Keyword> = new Set<Keyword>(['ADD', 'CMD', 'COPY', 'ENTRYPOINT', 'RUN', 'SHELL', 'VOLUME']);
const NO_TRIGGERS: ReadonlySet<Keyword> = new Set<Keyword>(['ONBUILD', 'FROM', 'MAINTAINER']);

/** Reads `text` from `from`, which is no space. `text` ends without space. */
export function parseLine(text: string, from: number, context: LineContext): Draft | UnknownDraft {
  const word = wordAt(text, from);
  const keyword = keywordOf(word);
  if (keyword === undefined) return unknown(word, from, context);
  const { flags, rest, complete } = readFlags(keyword, text, from + word.length, context.report);
  const args = text.slice(rest);
  return {
    kind: 'instruction',
    keyword,
    keywordOffset: from,
    flags,
    complete,
    args,
    argsOffset: rest,
    json: readJson(keyword, args, rest, context.report),
    trigger: keyword === 'ONBUILD' && args !== '' ? readTrigger(text, rest, context) : null,
  };
}

/** As an ONBUILD trigger: the three instructions that cannot be one are reported, and not read: no trigger within a trigger. */
export function readTrigger(text: string, from: number, context: LineContext): Draft | null {
  const keyword = keywordOf(wordAt(text, from));
  if (keyword !== undefined && NO_TRIGGERS.has(keyword)) {
    const hint = 'Every instruction but FROM, ONBUILD and MAINTAINER can be a trigger.';
    context.report.error({ message: `${keyword} cannot be an ONBUILD trigger`, hint }, from, keyword.length);
    return null;
  }
  const draft = parseLine(text, from, context);
  return draft.kind === 'unknown' ? null : draft;
}

function wordAt(text: string, from: number): string {
  let end = from;
  while (end < text.length && !isBlank(text.charAt(end))) end++;
  return text.slice(from, end);
}

function unknown(word: string, offset: number, { report, ifUnknown }: LineContext): UnknownDraft {
  const meant = nearest(word, KEYWORDS);
  const hint = ifUnknown?.weight === 'sure' ? ifUnknown.text : (hintFor(word, meant) ?? ifUnknown?.text);
  report.error({ message: `unknown instruction ${shown(word)}`, hint }, offset, word.length);
  return { kind: 'unknown', word, meant };
}

function hintFor(word: string, meant: Keyword | undefined): string | undefined {
  if (/[\u00a0\u2000-\u200d\ufeff]/.test(word)) return 'It holds a space of another kind than the keyboard types: write that blank again.';
  return meant === undefined ? undefined : `Did you mean ${meant}?`;
}

function readFlags(
  keyword: Keyword,
  text: string,
  from: number,
  report: Reporter,
): { readonly flags: readonly Flag[]; readonly rest: number; readonly complete: boolean } {
  const { words, rest } = scanFlagWords(text, from);
  const flags: Flag[] = [];
  for (const word of words) {
    const flag = flagOf(word);
    const fault = word.quotes === 'open' ? { message: `a quote in --${shown(flag.name)} has no end` } : flagFault(keyword, flag, flags);
    if (fault !== undefined) report.error(fault, word.offset, word.width);
    flags.push(flag);
  }
  return { flags, rest, complete: words.every(({ quotes }) => quotes === 'closed') };
}

/** The strings of the JSON form; null for the shell form and for a fault, which is reported. */
function readJson(keyword: Keyword, args: string, argsOffset: number, report: Reporter): readonly string[] | null {
  const start = jsonStart(keyword, args);
  if (start === undefined) return null;
  const form = readArgumentForm(args.slice(start));
  const offset = argsOffset + start;
  const width = args.length - start;
  if (form.kind === 'strings') return form.strings;
  if (form.kind === 'not-strings') {
    report.error(
      { message: `the JSON form takes only strings, and this list has ${form.found}`, hint: 'Each element stands in double quotes.' },
      offset,
      width,
    );
  } else if (form.suspect && keyword !== 'SHELL') {
    const hint = 'JSON takes double quotes, no comma at the end and nothing after the bracket.';
    report.warn({ message: `this looks like JSON and is none, so ${keyword} reads it as plain text`, hint }, offset, width);
  }
  return null;
}

function jsonStart(keyword: Keyword, args: string): number | undefined {
  if (TAKES_JSON.has(keyword)) return 0;
  if (keyword !== 'HEALTHCHECK') return undefined;
  const command = wordAt(args, 0);
  return command.toUpperCase() === 'CMD' ? skipSpaces(args, command.length) : undefined;
}
