/**
 * Parser directives: `# syntax=`, `# escape=` and `# check=` in the very first lines. The syntax image is only a note: it
 * is never fetched. Reference: BuildKit frontend/dockerfile/parser/directives.go (behaviour), semantics as documented in
 * https://docs.docker.com/reference/dockerfile/#parser-directives.
 */
import type { SourceRange } from '../errors.ts';
import { type Fault, type Findings, syntaxError } from './findings.ts';
import type { ParserDirectives, SourceText } from './instruction.ts';
import { shown } from './visible.ts';
import { skipSpaces, trimEnd } from './whitespace.ts';

type DirectiveKey = 'syntax' | 'escape' | 'check';

export interface Directives {
  readonly directives: ParserDirectives;
  /** `doubtful`: an escape directive is at fault, and it matters for this file. */
  readonly lineEnds: 'certain' | 'doubtful';
}

interface Candidate {
  /** Lower case. */
  readonly key: string;
  readonly value: string;
  readonly at: SourceRange;
}

/**
 * Reads the directives. Scanning ends at the first line that is blank, an ordinary comment, an unknown directive or an
 * instruction. A shebang on line 1 is passed over, but Docker takes no `escape` after it.
 * A directive given twice and an escape other than `\` or a backtick are errors; in both cases the earlier value stays.
 */
export function readDirectives(source: SourceText, findings: Findings): Directives {
  const values = new Map<DirectiveKey, string>();
  let lineEnds: Directives['lineEnds'] = 'certain';
  const hasShebang = source.lines[0]?.startsWith('#!') ?? false;
  let index = hasShebang ? 1 : 0;
  for (; index < source.lines.length; index++) {
    const candidate = readCandidate(source, index);
    if (candidate === undefined || !isKey(candidate.key)) break;
    if (hasShebang && candidate.key === 'escape') break;
    const fault = faultOf(candidate.key, candidate.value, values);
    if (fault === undefined) values.set(candidate.key, candidate.value);
    else {
      findings.errors.push(syntaxError(fault, candidate.at));
      if (candidate.key === 'escape' && endsSomeLine(candidate.value, source)) lineEnds = 'doubtful';
    }
  }
  warnOfLateEscape(source, index, findings);
  return {
    lineEnds,
    directives: {
      syntax: values.get('syntax')?.split(' ')[0] ?? null,
      escape: values.get('escape') === '`' ? '`' : '\\',
      check: values.get('check') ?? null,
    },
  };
}

/** Whether lines seem to go on by `char`, which is no escape character or another one than that in force. */
function endsSomeLine(char: string, { lines }: SourceText): boolean {
  return lines.some((line) => !line.trimStart().startsWith('#') && trimEnd(line).endsWith(char));
}

function faultOf(key: DirectiveKey, value: string, seen: ReadonlyMap<DirectiveKey, string>): Fault | undefined {
  if (seen.has(key)) return { message: `the ${key} directive is given twice`, hint: 'Keep one of them.' };
  if (key === 'escape' && value !== '\\' && value !== '`') {
    return { message: `the escape character cannot be ${shown(value)}`, hint: 'It is either \\ (the default) or a backtick.' };
  }
  return undefined;
}

/** `# key = value`; undefined for any other line. A key without a value is a plain comment. */
function readCandidate(source: SourceText, index: number): Candidate | undefined {
  const line = source.lines[index] ?? '';
  const hash = skipSpaces(line, 0);
  if (line.charAt(hash) !== '#') return undefined;
  const column = skipSpaces(line, hash + 1);
  const head = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=/.exec(line.slice(column));
  if (head?.[1] === undefined) return undefined;
  const value = trimEnd(line.slice(skipSpaces(line, column + head[0].length)));
  if (value === '') return undefined;
  const width = trimEnd(line).length - column;
  return { key: head[1].toLowerCase(), value, at: { file: source.file, startLine: index + 1, endLine: index + 1, column, width } };
}

function isKey(key: string): key is DirectiveKey {
  return key === 'syntax' || key === 'escape' || key === 'check';
}

/** An escape directive among the comments after the scan ended means nothing to Docker, and its writer wanted something. */
function warnOfLateEscape(source: SourceText, from: number, findings: Findings): void {
  for (let index = from; index < source.lines.length; index++) {
    const line = source.lines[index] ?? '';
    const start = skipSpaces(line, 0);
    if (start < line.length && line.charAt(start) !== '#') return;
    const candidate = readCandidate(source, index);
    if (candidate?.key !== 'escape') continue;
    const message = 'this escape directive is only a comment';
    findings.warnings.push(syntaxError({ message, hint: 'Directives end at the first other line: move it to the top.' }, candidate.at));
  }
}
