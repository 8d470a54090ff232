/**
 * The `--name=value` words between a keyword and its arguments: where they end, their quotes, and which names each
 * instruction takes. Values are not interpreted and not expanded here.
 * Reference: BuildKit parser/split_command.go and instructions/bflag.go (behaviour).
 */

import { nearest } from '../words/nearest.ts';
import type { Fault } from './findings.ts';
import type { Flag, Keyword } from './instruction.ts';
import { shown } from './visible.ts';
import { isSpace, skipSpaces } from './whitespace.ts';

export interface FlagWord {
  /** Quotes and escapes taken off. Begins with `--`. */
  readonly text: string;
  readonly offset: number;
  readonly width: number;
  /** `open`: a quote has no end, so the word swallowed the rest of the line. */
  readonly quotes: 'closed' | 'open';
}

export interface FlagWords {
  readonly words: readonly FlagWord[];
  /** Where the arguments begin. */
  readonly rest: number;
}

type FlagKind = 'value' | 'list' | 'switch';

const FLAGS: Readonly<Partial<Record<Keyword, Readonly<Record<string, FlagKind>>>>> = {
  FROM: { platform: 'value' },
  RUN: { mount: 'list', network: 'value', security: 'value', device: 'list' },
  COPY: { from: 'value', chown: 'value', chmod: 'value', link: 'switch', parents: 'switch', exclude: 'list' },
  ADD: {
    chown: 'value',
    chmod: 'value',
    link: 'switch',
    exclude: 'list',
    checksum: 'value',
    'keep-git-dir': 'switch',
    unpack: 'switch',
  },
  HEALTHCHECK: { interval: 'value', timeout: 'value', 'start-period': 'value', 'start-interval': 'value', retries: 'value' },
};

/**
 * The leading words of `text` from `from` that begin with `--`; a bare `--` ends them and is dropped. Quotes join, the
 * backslash escapes, also where the escape directive says backtick: BuildKit does not ask it here.
 */
export function scanFlagWords(text: string, from: number): FlagWords {
  const words: FlagWord[] = [];
  let at = skipSpaces(text, from);
  while (text.startsWith('--', at)) {
    const word = scanWord(text, at);
    at += word.width;
    if (word.text === '--') return { words, rest: skipSpaces(text, at) };
    words.push(word);
    at = skipSpaces(text, at);
  }
  return { words, rest: at };
}

function scanWord(text: string, offset: number): FlagWord {
  let word = '';
  let quote = '';
  let at = offset;
  for (; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote === '' && isSpace(char)) break;
    if (char === '\\') {
      // A lone one at the end of the line is dropped.
      at++;
      word += text.charAt(at);
    } else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = '';
    else word += char;
  }
  const end = Math.min(at, text.length);
  return { text: word, offset, width: end - offset, quotes: quote === '' ? 'closed' : 'open' };
}

/** `--name=value` taken apart; value null without `=`. */
export function flagOf(word: FlagWord): Flag {
  const equals = word.text.indexOf('=');
  return equals < 0 ? { name: word.text.slice(2), value: null } : { name: word.text.slice(2, equals), value: word.text.slice(equals + 1) };
}

/** What is wrong with a flag of this instruction, given those before it; undefined when nothing is. */
export function flagFault(keyword: Keyword, flag: Flag, before: readonly Flag[]): Fault | undefined {
  const known = FLAGS[keyword] ?? {};
  const kind = Object.hasOwn(known, flag.name) ? known[flag.name] : undefined;
  if (kind === undefined) return unknownFlag(keyword, flag.name, Object.keys(known));
  if (kind !== 'list' && before.some((other) => other.name === flag.name)) {
    return { message: `--${flag.name} is given twice`, hint: `${keyword} takes it once.` };
  }
  if (kind === 'switch') return switchFault(flag);
  if (flag.value === null) return { message: `--${flag.name} needs a value`, hint: `Write --${flag.name}=VALUE, without a blank.` };
  return undefined;
}

function switchFault({ name, value }: Flag): Fault | undefined {
  if (value === null || /^(?:true|false)$/i.test(value)) return undefined;
  return { message: `--${name} is either true or false, not ${shown(value)}`, hint: `Write --${name} or --${name}=false.` };
}

function unknownFlag(keyword: Keyword, name: string, known: readonly string[]): Fault {
  const message = `${keyword} has no flag --${shown(name)}`;
  const meant = nearest(name, known);
  if (meant !== undefined) return { message, hint: `Did you mean --${meant}?` };
  if (known.length > 0) return { message, hint: `It takes ${known.map((flag) => `--${flag}`).join(', ')}.` };
  const bare = keyword === 'CMD' || keyword === 'ENTRYPOINT';
  return {
    message,
    hint: bare ? `Write ${keyword} ["--${shown(name)}"], or ${keyword} -- --${shown(name)}.` : `${keyword} takes no flags.`,
  };
}

/** True for a word that reads like a flag of this instruction. */
export function looksLikeFlag(keyword: Keyword, word: string): boolean {
  const name = /^--([a-z-]+)(?:=|$)/.exec(word)?.[1];
  return name !== undefined && Object.hasOwn(FLAGS[keyword] ?? {}, name);
}
