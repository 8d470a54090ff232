/**
 * Variable expansion as BuildKit's shell lexer does it: `$name`, `${name...}`, quotes and the escape character. No
 * command substitution, no arithmetic, no assignment. Errors have no place: the planner knows the instruction.
 * Reference: BuildKit frontend/dockerfile/shell (behaviour).
 */
import { TsbuildError } from '../errors.ts';
import type { Scope } from './instruction.ts';
import { compilePattern, type Reach, replacePattern, withoutPrefix, withoutSuffix } from './pattern.ts';
import { shown } from './visible.ts';
import { isSpace } from './whitespace.ts';

export interface Expansion {
  readonly text: string;
  /** `text` split at unquoted blanks, also at those that came out of a variable. Empty words are not there. */
  readonly words: readonly string[];
  /** Variables that were used while unset and without a default, in order of appearance. */
  readonly unset: readonly string[];
}

/** `ordinary`: in the body of a heredoc quotes are characters like others. */
type Quotes = 'special' | 'ordinary';
/** `kept`: in a pattern, which takes its escapes off itself. */
type Escapes = 'removed' | 'kept';

/** Deeper `${a:-${b:-...}}` are refused: recursion would end in a stack overflow. */
const DEEPEST_NESTING = 100;
/** No program can be given a longer argument or variable than 128 KiB. */
const MOST_BROUGHT = 2 ** 20;

/** One word: variables in, quotes and escapes off. Throws TsbuildError (DOCKERFILE_SEMANTICS). */
export function expandWord(word: string, scope: Scope): string {
  return expand(word, scope, 'special').text;
}

/** As `expandWord`, then split at unquoted blanks: EXPOSE, VOLUME. Throws TsbuildError (DOCKERFILE_SEMANTICS). */
export function expandWords(text: string, scope: Scope): readonly string[] {
  return expand(text, scope, 'special').words;
}

/** The body of a COPY or ADD heredoc: quotes stay, escapes go. Throws TsbuildError (DOCKERFILE_SEMANTICS). */
export function expandHeredoc(body: string, scope: Scope): string {
  return expand(body, scope, 'ordinary').text;
}

/** Everything known about a word's expansion, for lint rules. Throws TsbuildError (DOCKERFILE_SEMANTICS). */
export function traceWord(word: string, scope: Scope): Expansion {
  return expand(word, scope, 'special');
}

function expand(source: string, scope: Scope, quotes: Quotes): Expansion {
  const escapeChar = scope.escape;
  const unset = new Set<string>();
  let at = 0;
  let depth = 0;
  /** What came out of variables so far, in UTF-16 units. */
  let brought = 0;

  /** Up to an unquoted `stop`, which is passed over, or to the end when there is none. */
  function run(stop: string | undefined, escapes: Escapes): { readonly text: string; readonly words: readonly string[] } {
    const split = wordSplitter();
    let text = '';
    while (at < source.length) {
      const char = source.charAt(at);
      if (char === stop) {
        at++;
        return { text, words: split.end() };
      }
      if (char === '$') {
        const value = dollar();
        text += value;
        split.unquoted(value);
      } else if (quotes === 'special' && (char === '"' || char === "'")) {
        const value = char === '"' ? doubleQuoted(escapes) : singleQuoted();
        text += value;
        split.quoted(value);
      } else if (char === escapeChar) {
        // A lone one at the end is dropped.
        const value = (escapes === 'kept' ? char : '') + source.charAt(at + 1);
        at += 2;
        text += value;
        split.quoted(value);
      } else {
        at++;
        text += char;
        split.unquoted(char);
      }
    }
    if (stop !== undefined)
      throw failure(stop === '}' ? 'the closing } of ${ is missing' : 'the second / of ${name/pattern/replacement} is missing');
    return { text, words: split.end() };
  }

  function singleQuoted(): string {
    const end = source.indexOf("'", at + 1);
    if (end < 0) throw failure('a single quote has no end', 'Between single quotes nothing is escaped: the next one ends them.');
    const value = source.slice(at + 1, end);
    at = end + 1;
    return value;
  }

  function doubleQuoted(escapes: Escapes): string {
    let value = '';
    at++;
    while (at < source.length) {
      const char = source.charAt(at);
      if (char === '"') {
        at++;
        return value;
      }
      if (char === '$') value += dollar();
      else if (char === escapeChar) {
        const next = source.charAt(at + 1);
        const special = next === '"' || next === '$' || next === escapeChar;
        // Within quotes it only escapes these; else it stands for itself, which a pattern must be told.
        value += (escapes === 'kept' ? char : '') + (special ? next : char);
        at += special ? 2 : 1;
      } else {
        value += char;
        at++;
      }
    }
    throw failure('a double quote has no end');
  }

  function dollar(): string {
    at++;
    if (source.charAt(at) !== '{') {
      const name = readName();
      return name === '' ? '$' : grown(use(name));
    }
    at++;
    const name = readName();
    const operator = source.charAt(at);
    if (name === '') throw failure(operator === '' ? 'the closing } of ${ is missing' : 'bad substitution');
    at++;
    if (++depth > DEEPEST_NESTING) throw failure('${ is nested too deeply');
    const value = substitute(name, operator);
    depth--;
    return grown(value);
  }

  /** `ENV A=$A$A` in every line doubles and doubles. */
  function grown(value: string): string {
    brought += value.length;
    if (brought > MOST_BROUGHT) throw failure('its variables bring more than 1 MiB into it');
    return value;
  }

  /** Behind `${name` and its operator. */
  function substitute(name: string, operator: string): string {
    switch (operator) {
      case '}':
        return use(name);
      case ':': {
        const second = source.charAt(at);
        at++;
        if (second === '') throw failure('the closing } of ${ is missing');
        if ('-+?'.includes(second)) return fallback(name, second, 'empty-is-unset');
        throw unsupported(`:${second}`);
      }
      case '-':
      case '+':
      case '?':
        return fallback(name, operator, 'empty-is-set');
      case '#':
      case '%':
        return trim(name, operator);
      case '/':
        return replace(name);
      case '':
        throw failure('the closing } of ${ is missing');
      default:
        throw unsupported(operator);
    }
  }

  function fallback(name: string, operator: string, rule: 'empty-is-unset' | 'empty-is-set'): string {
    const word = run('}', 'removed').text;
    const value = scope.lookup(name);
    const missing = value === undefined || (rule === 'empty-is-unset' && value === '');
    if (operator === '+') return missing ? '' : word;
    if (!missing) return value;
    if (operator === '-') return word;
    const reason = word === '' ? `is not allowed to be ${value === undefined ? 'unset' : 'empty'}` : word;
    const hint = `Give it a value with ENV, ARG or --build-arg ${name}=VALUE.`;
    throw new TsbuildError('DOCKERFILE_SEMANTICS', `${shown(name)}: ${shown(reason)}`, { hint });
  }

  function trim(name: string, operator: '#' | '%'): string {
    const word = run('}', 'kept').text;
    // BuildKit looks for the second operator when quotes and variables are gone.
    const reach: Reach = word.startsWith(operator) ? 'longest' : 'shortest';
    const pattern = compilePattern(reach === 'longest' ? word.slice(1) : word, escapeChar);
    return operator === '#' ? withoutPrefix(use(name), pattern, reach) : withoutSuffix(use(name), pattern, reach);
  }

  function replace(name: string): string {
    const which = source.charAt(at) === '/' ? 'all' : 'first';
    if (which === 'all') at++;
    const pattern = compilePattern(run('/', 'kept').text, escapeChar);
    // Escapes stay in the replacement, as in BuildKit.
    const replacement = run('}', 'kept').text;
    return replacePattern(use(name), pattern, replacement, which);
  }

  function use(name: string): string {
    const value = scope.lookup(name);
    if (value === undefined && /^[\p{L}_]/u.test(name)) {
      unset.add(name);
      scope.unset?.(name);
    }
    return value ?? '';
  }

  function readName(): string {
    const end = nameEnd(source, at);
    const name = source.slice(at, end);
    at = end;
    return name;
  }

  function unsupported(modifier: string): TsbuildError {
    const hint = 'Docker knows :- :+ :? - + ? # ## % %% / and //.';
    return failure(`unsupported modifier (${shown(modifier)}) in \${}`, hint);
  }

  function failure(message: string, hint?: string): TsbuildError {
    return new TsbuildError('DOCKERFILE_SEMANTICS', `cannot expand ${shown(source)}: ${message}`, { hint });
  }

  const { text, words } = run(undefined, 'removed');
  return { text, words, unset: [...unset] };
}

/**
 * Where the name at `from` ends: letters, digits and `_`. A leading digit makes a name of digits; a special parameter of
 * sh is one character. They are never set, and they are names: `$$A` is nothing and then `A`.
 */
function nameEnd(source: string, from: number): number {
  if (from < source.length && '@*#?-$!'.includes(source.charAt(from))) return from + 1;
  const allowed = /\p{Nd}/u.test(charAt(source, from)) ? /\p{Nd}/u : /[\p{L}\p{Nd}_]/u;
  let end = from;
  while (end < source.length && allowed.test(charAt(source, end))) end += charAt(source, end).length;
  return end;
}

/** The whole character, which may be two UTF-16 units; '' at the end. */
function charAt(source: string, index: number): string {
  const code = source.codePointAt(index);
  return code === undefined ? '' : String.fromCodePoint(code);
}

/** Collects words as BuildKit does: quoted stretches join, and a word of nothing is none. */
function wordSplitter(): { unquoted(text: string): void; quoted(text: string): void; end(): readonly string[] } {
  const words: string[] = [];
  let word = '';
  return {
    unquoted(text) {
      if (text.length > 1 && !/[\s\u0085]/.test(text)) {
        word += text;
        return;
      }
      for (const char of text) {
        if (!isSpace(char)) word += char;
        else if (word !== '') {
          words.push(word);
          word = '';
        }
      }
    },
    quoted(text) {
      word += text;
    },
    end() {
      return word === '' ? words : [...words, word];
    },
  };
}
