/**
 * A parsed Dockerfile: instructions with their flags, JSON form, heredocs and places. No variable is expanded here and
 * no instruction is interpreted beyond what its text says. Reference: BuildKit frontend/dockerfile/parser.
 */
import type { SourceRange, TsbuildError } from '../errors.ts';

export type Keyword =
  | 'ADD'
  | 'ARG'
  | 'CMD'
  | 'COPY'
  | 'ENTRYPOINT'
  | 'ENV'
  | 'EXPOSE'
  | 'FROM'
  | 'HEALTHCHECK'
  | 'LABEL'
  | 'MAINTAINER'
  | 'ONBUILD'
  | 'RUN'
  | 'SHELL'
  | 'STOPSIGNAL'
  | 'USER'
  | 'VOLUME'
  | 'WORKDIR';

/** `--name=value`; value null for a bare `--name`. Quotes and escapes of the word are already taken off. */
export interface Flag {
  readonly name: string;
  readonly value: string | null;
}

export interface Heredoc {
  /** Delimiter without quotes; the file name of a COPY heredoc. */
  readonly name: string;
  /** Verbatim, each line with its newline; leading tabs are off for `<<-`. */
  readonly body: string;
  /** The body as written, also for `<<-`: what ONBUILD stores in the image. */
  readonly raw: string;
  /** False when the delimiter was quoted. */
  readonly expand: boolean;
  /** The fd number before `<<`, usually ''. */
  readonly fd: string;
  /** The word as written, e.g. `<<-"EOF"`. */
  readonly word: string;
}

export interface Instruction {
  readonly keyword: Keyword;
  readonly at: SourceRange;
  /** The instruction as one line: keyword as written, continuations joined, comments gone. Heredoc bodies are not in it. */
  readonly text: string;
  readonly flags: readonly Flag[];
  /** What follows keyword and flags, trimmed; continuations joined; heredoc bodies are not in it. For ONBUILD: the trigger's text. */
  readonly args: string;
  /** The exec form's strings where this instruction takes one (ADD CMD COPY ENTRYPOINT HEALTHCHECK's CMD RUN SHELL VOLUME) and `args` is a JSON array of strings. */
  readonly json: readonly string[] | null;
  readonly heredocs: readonly Heredoc[];
  /** Lines of the file, from 1, that are blank within its continuations. */
  readonly blankLines: readonly number[];
  /** ONBUILD only: the trigger, parsed. */
  readonly trigger: Instruction | null;
}

export interface ParserDirectives {
  readonly syntax: string | null;
  readonly escape: '\\' | '`';
  readonly check: string | null;
}

/** The text that errors quote. */
export interface SourceText {
  /** As the user named it. */
  readonly file: string;
  /** Without line ends. */
  readonly lines: readonly string[];
}

/** An instruction at fault. Nobody acts on it, but what follows may depend on what it was meant to do. */
export interface BrokenInstruction {
  /** Null for an unknown word. */
  readonly keyword: Keyword | null;
  readonly at: SourceRange;
  /** How many sound instructions stand before it. */
  readonly position: number;
  /** `perhaps`: an unknown word that may be a mistyped FROM, or a heredoc without end, which hides the rest of the file. */
  readonly beginsStage: 'yes' | 'perhaps' | 'no';
}

export interface ParsedDockerfile {
  readonly source: SourceText;
  readonly directives: ParserDirectives;
  /** Without those at fault. */
  readonly instructions: readonly Instruction[];
  readonly broken: readonly BrokenInstruction[];
  /** In the order of lines. With one of them the file cannot be built. */
  readonly errors: readonly TsbuildError[];
  /** Things that are legal and probably not meant. */
  readonly warnings: readonly TsbuildError[];
}

/** The variables an expansion sees (expand.ts). */
export interface Scope {
  readonly escape: '\\' | '`';
  /** undefined: unset. */
  lookup(name: string): string | undefined;
  /** Told of each variable that is used while unset and without a default. */
  unset?(name: string): void;
}
