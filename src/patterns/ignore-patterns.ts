/**
 * Ordered patterns of .dockerignore and COPY --exclude: which paths they leave out and which of them decided.
 * The last pattern that matches wins; what matches a folder also holds for all below it; `!` takes back.
 * Reference: moby/patternmatcher (New, MatchesUsingParentResults) and its ignorefile package.
 */
import { type BytePath, type ByteString, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import { type GlobToken, globTokens } from './glob-tokens.ts';
import { type GoMatcher, goMatcher } from './go-match.ts';
import { type PatternPart, partMatcher } from './part-matcher.ts';
import { runesOf } from './runes.ts';

/** A pattern as the user wrote it, for messages. */
export interface IgnorePattern {
  /** Trimmed, with its `!`. */
  readonly text: string;
  /** 1-based line of the file, or position in the list. */
  readonly line: number;
}

/** What the patterns say about one path. `held[i]`: pattern i matches it or a folder above it. */
export interface IgnoreVerdict {
  readonly ignored: boolean;
  /** The pattern that decided; null when none matches. */
  readonly by: IgnorePattern | null;
  readonly held: readonly boolean[];
}

export interface IgnorePatterns {
  readonly isEmpty: boolean;
  /** `parent`: the verdict on the folder of `path`; null for paths directly below the root. Not for the root itself. */
  judge(path: BytePath, parent: IgnoreVerdict | null): IgnoreVerdict;
  /** The same for a path whose folders have not been judged. */
  judgePath(path: BytePath): IgnoreVerdict;
  /** True when nothing below an ignored folder can be taken back, so that it need not be read. */
  canPrune(folder: BytePath, verdict: IgnoreVerdict): boolean;
  /** Whether a pattern without `!` may match something strictly below a folder that it does not match; says yes when in doubt. */
  mayMatchBelow(folder: BytePath): boolean;
}

interface Rule extends IgnorePattern {
  readonly negated: boolean;
  matches(path: BytePath): boolean;
  mayMatchBelow(folder: BytePath): boolean;
}

/** `file`: its name for messages. Throws DOCKERIGNORE_SYNTAX for a malformed pattern or a lone `!`. */
export function parseIgnoreFile(bytes: Uint8Array, file: string): IgnorePatterns {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const lines = text.replace(/^\xef\xbb\xbf/, '').split('\n');
  const rules = lines.flatMap((line, index) => {
    // A comment begins in column 0; behind blanks `#` is part of a pattern.
    if (line.startsWith('#')) return [];
    return readRule(line, index + 1, (fault) => syntaxError(`${file}:${index + 1}`, fault));
  });
  return patternsOf(rules);
}

/** --exclude values, as byte strings. `what` names them in errors, which are DOCKERIGNORE_SYNTAX. */
export function ignorePatterns(patterns: readonly ByteString[], what: string): IgnorePatterns {
  return patternsOf(patterns.flatMap((pattern, index) => readRule(pattern, index + 1, (fault) => syntaxError(what, fault))));
}

function syntaxError(where: string, fault: string): TsbuildError {
  return new TsbuildError('DOCKERIGNORE_SYNTAX', `${where}: ${fault}`, {
    hint: 'a literal [ is written as [[] and a literal backslash twice; ! needs a pattern behind it',
  });
}

function readRule(line: ByteString, number: number, error: (fault: string) => TsbuildError): Rule[] {
  const text = trimBlanks(line);
  if (text === '') return [];
  const negated = text.startsWith('!');
  const body = negated ? trimBlanks(text.slice(1)) : text;
  if (body === '') throw error('illegal exclusion pattern: "!"');
  const cleaned = cleanPattern(body);
  const pattern = cleaned.length > 1 && cleaned.startsWith('/') ? cleaned.slice(1) : cleaned;
  const tokens = globTokens(runesOf(pattern));
  if (tokens === null) throw error(`malformed pattern "${textOf(text.slice(0, 200))}"`);
  return [{ text: textOf(text), line: number, negated, matches: matcherOf(pattern, tokens), mayMatchBelow: reachOf(pattern, tokens) }];
}

/** Go's strings.TrimSpace, for the white space that is one byte in UTF-8; NEL and NBSP are two bytes there. */
function trimBlanks(text: ByteString): ByteString {
  let from = 0;
  let to = text.length;
  for (let width = 1; from < to && width > 0; from += width) width = blankWidth(text, from);
  for (let width = 1; from < to && width > 0; to -= width)
    width = blankWidth(text, to - 1) || (to - 2 >= from && blankWidth(text, to - 2) === 2 ? 2 : 0);
  return text.slice(from, to);
}

/** How many bytes the blank at `at` has; 0: there is none. */
function blankWidth(text: ByteString, at: number): 0 | 1 | 2 {
  if (/[\t\n\v\f\r ]/.test(text.charAt(at))) return 1;
  return text.charAt(at) === '\xc2' && /[\x85\xa0]/.test(text.charAt(at + 1)) ? 2 : 0;
}

/** Go's path.Clean: a relative pattern keeps a leading `..`, an absolute one loses it. */
function cleanPattern(pattern: ByteString): ByteString {
  const absolute = pattern.startsWith('/');
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!absolute) parts.push(part);
  }
  const joined = parts.join('/');
  return absolute ? `/${joined}` : joined === '' ? '.' : joined;
}

function patternsOf(rules: readonly Rule[]): IgnorePatterns {
  const none: IgnoreVerdict = { ignored: false, by: null, held: [] };

  function judge(path: BytePath, parent: IgnoreVerdict | null): IgnoreVerdict {
    if (rules.length === 0) return none;
    let ignored = false;
    let by: IgnorePattern | null = null;
    const held: boolean[] = [];
    rules.forEach((rule, index) => {
      // As moby: a pattern that would not change the verdict so far is not looked at, so it is not inherited either.
      const match = parent?.held[index] === true || (rule.negated === ignored && rule.matches(path));
      held.push(match);
      if (!match) return;
      ignored = !rule.negated;
      by = rule;
    });
    return { ignored, by, held };
  }

  function judgePath(path: BytePath): IgnoreVerdict {
    let folder: IgnoreVerdict | null = null;
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) folder = judge(path.slice(0, slash), folder);
    return judge(path, folder);
  }

  return {
    isEmpty: rules.length === 0,
    judge,
    judgePath,
    canPrune: (folder, verdict) => verdict.ignored && !rules.some((rule) => rule.negated && rule.mayMatchBelow(folder)),
    mayMatchBelow: (folder) => rules.some((rule) => !rule.negated && rule.mayMatchBelow(folder)),
  };
}

/** `**` takes any number of components when a `/` or the end follows it, and is glued to its neighbours otherwise. */
function matcherOf(pattern: ByteString, tokens: readonly GlobToken[]): (path: BytePath) => boolean {
  if (!/[*?[\\]/.test(pattern)) return (path) => path === pattern;
  // moby compares suffixes as text when only plain characters follow a leading `**`: then even `x` of `xfoo` is taken by `**foo`.
  if (/^\*\*[^*?[\]\\]*$/.test(pattern) && !pattern.startsWith('**/')) {
    const suffix = pattern.slice(2);
    return (path) => path.endsWith(suffix);
  }
  const parts: PatternPart[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as GlobToken;
    if (token.kind !== 'star' || tokens[at + 1]?.kind !== 'star') {
      parts.push(token);
      continue;
    }
    at++;
    const next = tokens[at + 1];
    if (next?.kind === 'literal' && next.character === '/') at++;
    parts.push({ kind: at + 1 >= tokens.length ? 'rest' : 'folders' });
  }
  const matches = partMatcher(parts);
  return (path) => matches(runesOf(path));
}

/** Whether a pattern may match something strictly below a folder; says yes when in doubt. */
function reachOf(pattern: ByteString, tokens: readonly GlobToken[]): (folder: BytePath) => boolean {
  const wild = tokens.some((t, i) => t.kind === 'class' || (t.kind === 'star' && tokens[i + 1]?.kind === 'star'));
  if (wild) {
    const fixed = /^[^*?[\\]*/.exec(pattern)?.[0] ?? '';
    return (folder) => fixed.startsWith(`${folder}/`) || `${folder}/`.startsWith(fixed);
  }
  // Without `**` and classes each component of the pattern takes exactly one of the path.
  const components: (GoMatcher | null)[] = pattern.split('/').map((component) => goMatcher(component));
  return (folder) => {
    const parts = folder.split('/');
    return parts.length < components.length && parts.every((part, index) => components[index]?.(part) ?? true);
  };
}
