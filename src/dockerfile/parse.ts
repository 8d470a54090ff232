/**
 * A Dockerfile as instructions with every fault of the file reported at once. No variable is expanded, nothing is read
 * but the text given. Reference: BuildKit frontend/dockerfile/parser (behaviour).
 */
import { type SourceRange, type TsbuildError, TsbuildErrors } from '../errors.ts';
import { nearest } from '../words/nearest.ts';
import { checkArguments } from './checks.ts';
import { readDirectives } from './directives.ts';
import { type Findings, noFindings, type Reporter, reporter, syntaxError } from './findings.ts';
import { findHeredocs, type HeredocStart, readHeredoc } from './heredoc.ts';
import type { BrokenInstruction, Heredoc, Instruction, ParsedDockerfile, ParserDirectives } from './instruction.ts';
import { type DockerfileText, type LogicalLine, readLogicalLine, readText, splitText } from './lines.ts';
import { type Draft, parseLine, readTrigger, type UnknownDraft, type UnknownHint } from './parse-line.ts';
import { checkStages, type Outline } from './stages.ts';
import { shown } from './visible.ts';

/**
 * Parses a Dockerfile. `file` is the name for messages. Throws TsbuildErrors (DOCKERFILE_SYNTAX) with every fault, each
 * with its place, in the order of the lines.
 */
export function parseDockerfile(bytes: Uint8Array, file: string): ParsedDockerfile {
  const parsed = readDockerfile(bytes, file);
  throwErrors(parsed.errors);
  return parsed;
}

/**
 * As `parseDockerfile`, but what is sound in a faulty file comes back beside its faults. Throws TsbuildErrors only for
 * bytes that are no text.
 */
export function readDockerfile(bytes: Uint8Array, file: string): ParsedDockerfile {
  const text = readText(bytes, file);
  const { source } = text;
  const findings = noFindings();
  const { directives, lineEnds } = readDirectives(source, findings);
  const instructions: Instruction[] = [];
  const broken: BrokenInstruction[] = [];
  const outline: Outline[] = [];
  const result = (): ParsedDockerfile => {
    const [errors, warnings] = [inOrder(findings.errors), inOrder(findings.warnings)];
    return { source, directives, instructions, broken, errors, warnings };
  };
  // Where instructions end nobody knows then: what they seem to say would be nonsense.
  if (lineEnds === 'doubtful') return result();
  let ifUnknown: UnknownHint | undefined;
  let index = 0;
  for (;;) {
    const line = readLogicalLine(source, index, directives.escape);
    if (line === undefined) break;
    const before = findings.errors.length;
    const read = readInstruction({ text, line, escape: directives.escape, findings, ifUnknown, role: 'instruction' });
    index = read.next;
    outline.push(read.outline);
    if (findings.errors.length > before) {
      broken.push({ keyword: read.instruction?.keyword ?? null, at: read.outline.at, position: instructions.length, ...stageOf(read) });
    } else if (read.instruction !== undefined) instructions.push(read.instruction);
    if (read.instruction !== undefined) ifUnknown = hintAfter(read.instruction, directives.escape);
  }
  checkStages(outline, file, findings);
  return result();
}

function stageOf({ instruction, outline, rest }: Read): Pick<BrokenInstruction, 'beginsStage'> {
  if (instruction?.keyword === 'FROM') return { beginsStage: 'yes' };
  return { beginsStage: rest === 'hidden' || (instruction === undefined && outline.resemblesFrom) ? 'perhaps' : 'no' };
}

/**
 * Parses an ONBUILD text of a base image's config, which is one instruction, with heredoc bodies on the lines after it.
 * `from` stands for the file's name in messages. Throws TsbuildErrors (DOCKERFILE_SYNTAX).
 */
export function parseTrigger(text: string, from: string, escapeChar: ParserDirectives['escape']): Instruction {
  const lines = splitText(text, from);
  const findings = noFindings();
  const whole = { file: from, startLine: 1, endLine: Math.max(1, lines.source.lines.length) };
  const line = readLogicalLine(lines.source, 0, escapeChar);
  const result = line && readInstruction({ text: lines, line, escape: escapeChar, findings, ifUnknown: undefined, role: 'trigger' });
  if (result === undefined) findings.errors.push(syntaxError({ message: 'the ONBUILD trigger is empty' }, whole));
  else if (readLogicalLine(lines.source, result.next, escapeChar) !== undefined) {
    findings.errors.push(syntaxError({ message: 'the ONBUILD trigger is more than one instruction' }, whole));
  }
  throwErrors(inOrder(findings.errors));
  if (result?.instruction === undefined) throw new Error('a trigger that is no instruction went unreported');
  return result.instruction;
}

interface Reading {
  readonly text: DockerfileText;
  readonly line: LogicalLine;
  readonly escape: ParserDirectives['escape'];
  readonly findings: Findings;
  readonly ifUnknown: UnknownHint | undefined;
  readonly role: 'instruction' | 'trigger';
}

interface Read {
  readonly instruction: Instruction | undefined;
  readonly outline: Outline;
  /** Index of the physical line after it. */
  readonly next: number;
  /** `hidden`: a heredoc without end may hold all that follows. */
  readonly rest: 'read' | 'hidden';
}

function readInstruction(reading: Reading): Read {
  const { text, line, findings } = reading;
  const file = text.source.file;
  const report = reporter(findings, line.place);
  const draft = readDraft(reading, report);
  if (draft.kind === 'unknown') {
    const next = skipBodies(reading, draft);
    const resemblesFrom = nearest(draft.word, ['FROM']) !== undefined;
    return { instruction: undefined, outline: { keyword: draft.meant, at: rangeOf(file, line, next), resemblesFrom }, next, rest: 'read' };
  }
  const { heredocs, next, rest } = readBodies(reading, draft, report);
  const at = rangeOf(file, line, next);
  const instruction = complete({ draft, text: line.text, at, heredocs, blankLines: line.blankLines });
  checkDraft(draft, heredocs, reading.escape, report);
  return { instruction, outline: { keyword: draft.keyword, at, resemblesFrom: false }, next, rest };
}

const NOTHING: UnknownDraft = { kind: 'unknown', word: '', meant: undefined };

function readDraft({ line, ifUnknown, role }: Reading, report: Reporter): Draft | UnknownDraft {
  if (line.text === '') {
    report.error({ message: 'a line continuation that continues nothing', hint: 'Remove it.' }, 0, 1);
    return NOTHING;
  }
  const context = { report, ifUnknown };
  return role === 'trigger' ? (readTrigger(line.text, 0, context) ?? NOTHING) : parseLine(line.text, 0, context);
}

function rangeOf(file: string, line: LogicalLine, next: number): SourceRange {
  return { file, startLine: line.startLine, endLine: next };
}

interface Completion {
  readonly draft: Draft;
  readonly text: string;
  readonly at: SourceRange;
  readonly heredocs: readonly Heredoc[];
  readonly blankLines: readonly number[];
}

function complete({ draft, text, at, heredocs, blankLines }: Completion): Instruction {
  const { keyword, flags, args, json, trigger, keywordOffset } = draft;
  return {
    keyword,
    at,
    text: text.slice(keywordOffset),
    flags,
    args,
    json,
    heredocs,
    blankLines,
    trigger: trigger === null ? null : complete({ draft: trigger, text, at, heredocs, blankLines }),
  };
}

function checkDraft(draft: Draft, heredocs: readonly Heredoc[], escapeChar: ParserDirectives['escape'], report: Reporter): void {
  if (!draft.complete) return;
  for (const { level, fault, offset, width } of checkArguments({ ...draft, heredocs, escape: escapeChar })) {
    if (level === 'error') report.error(fault, offset, width);
    else report.warn(fault, offset, width);
  }
  if (draft.trigger !== null) checkDraft(draft.trigger, heredocs, escapeChar, report);
}

/** The instruction whose words may open heredocs. */
function heredocOwner(draft: Draft): Draft | undefined {
  const owner = draft.trigger ?? draft;
  const takesThem = owner.keyword === 'RUN' || owner.keyword === 'COPY' || owner.keyword === 'ADD';
  return takesThem && owner.json === null ? owner : undefined;
}

interface Bodies extends Pick<Read, 'next' | 'rest'> {
  readonly heredocs: readonly Heredoc[];
}

function readBodies(reading: Reading, draft: Draft, report: Reporter): Bodies {
  const { text, line } = reading;
  const owner = heredocOwner(draft);
  const heredocs: Heredoc[] = [];
  let { next } = line;
  if (owner === undefined) return { heredocs, next, rest: 'read' };
  for (const start of findHeredocs(owner.args)) {
    const result = readHeredoc(text, next, start);
    const offset = owner.argsOffset + start.offset;
    if (result !== undefined) {
      heredocs.push(result.heredoc);
      next = result.next;
      if (owner.keyword !== 'RUN') warnOfEscapedDelimiter(start, offset, report);
    } else if (owner.keyword !== 'RUN' || !isShift(start)) {
      const hint = unterminatedHint(text, next, start.name);
      report.error({ message: `the heredoc ${shown(start.word)} has no end`, hint }, offset, start.word.length);
      // All that follows may be its body: reading it as instructions would report nonsense.
      return { heredocs, next: text.source.lines.length, rest: 'hidden' };
    }
  }
  return { heredocs, next, rest: 'read' };
}

/** `$((1 << 3))` shifts to the left. Only asked when no line ends the heredoc; BuildKit fails there. */
function isShift(start: HeredocStart): boolean {
  return start.arithmetic || /^\d/.test(start.name);
}

function unterminatedHint({ source }: DockerfileText, from: number, name: string): string {
  const near = source.lines.findIndex((line, index) => index >= from && line.trim() === name);
  const wanted = `A line with nothing but ${shown(name)} ends it`;
  return near < 0 ? `${wanted}.` : `${wanted}; line ${near + 1} has blanks around that.`;
}

function warnOfEscapedDelimiter(start: HeredocStart, offset: number, report: Reporter): void {
  if (!start.expand || !start.word.includes('\\')) return;
  const hint = `Write <<'${shown(start.name)}' to keep them.`;
  report.warn({ message: `the body of ${shown(start.word)} has its variables expanded, unlike in sh`, hint }, offset, start.word.length);
}

/** An unknown instruction that was meant to be RUN, COPY or ADD: its heredocs' bodies are no instructions either. */
function skipBodies(reading: Reading, { meant }: UnknownDraft): number {
  const { line } = reading;
  if (meant === undefined) return line.next;
  const silent = reporter(noFindings(), line.place);
  const rest = line.text.slice(line.text.search(/[\t\v\f\r ]|$/));
  const draft = parseLine(`${meant}${rest}`, 0, { report: silent, ifUnknown: undefined });
  if (draft.kind === 'unknown') return line.next;
  return readBodies(reading, draft, silent).next;
}

/** What an unknown instruction after this one probably is. */
function hintAfter({ keyword, args, heredocs }: Instruction, escapeChar: string): UnknownHint {
  const glued = keyword === 'RUN' && heredocs.length === 0 ? /([^\s<]*[^\s<\d])(<<-?["']?\w+)/.exec(args.slice(0, 2048)) : null;
  if (glued?.[1] === undefined || glued[2] === undefined) {
    return { weight: 'guess', text: `If it goes on with the ${keyword} above, that line must end with ${escapeChar}.` };
  }
  return { weight: 'sure', text: `Docker sees a heredoc only with a blank before the <<: ${shown(glued[1])} ${shown(glued[2])}` };
}

function throwErrors([first, ...rest]: readonly TsbuildError[]): void {
  if (first !== undefined) throw new TsbuildErrors([first, ...rest]);
}

function inOrder<T extends { readonly at: SourceRange | undefined }>(errors: readonly T[]): readonly T[] {
  const line = (error: T): number => error.at?.startLine ?? 0;
  const column = (error: T): number => error.at?.column ?? 0;
  return errors.toSorted((a, b) => line(a) - line(b) || column(a) - column(b));
}
