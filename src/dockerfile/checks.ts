/**
 * What each instruction demands of its arguments before anything is expanded: how many there are, which form, which
 * words. Reference: BuildKit frontend/dockerfile/instructions (behaviour); where it lets a certain mistake pass, this warns.
 */
import type { Fault } from './findings.ts';
import { looksLikeFlag } from './flags.ts';
import { copyWords } from './heredoc.ts';
import type { Instruction, ParserDirectives } from './instruction.ts';
import { type PlacedWord, placedFields, readPairs } from './pairs.ts';
import { shown } from './visible.ts';

/** An instruction to check. Its offsets count in the text of its logical line. */
export interface Subject extends Pick<Instruction, 'keyword' | 'flags' | 'args' | 'json' | 'heredocs'> {
  readonly escape: ParserDirectives['escape'];
  readonly keywordOffset: number;
  readonly argsOffset: number;
}

export interface Finding {
  readonly level: 'error' | 'warning';
  readonly fault: Fault;
  readonly offset: number;
  readonly width: number;
}

type Findings = readonly Finding[];

const NONE: Findings = [];

export function checkArguments(subject: Subject): Findings {
  switch (subject.keyword) {
    case 'FROM':
      return checkFrom(subject);
    case 'COPY':
    case 'ADD':
      return checkCopy(subject);
    case 'RUN':
      return checkRun(subject);
    case 'CMD':
    case 'ENTRYPOINT':
      return checkCommand(subject);
    case 'SHELL':
      return checkShell(subject);
    case 'HEALTHCHECK':
      return checkHealthcheck(subject);
    case 'VOLUME':
      return checkVolume(subject);
    case 'ENV':
    case 'LABEL':
    case 'ARG':
      return checkPairs(subject, subject.keyword);
    case 'EXPOSE':
      return requireArguments(subject, 'at least one port', 'EXPOSE 8080/tcp');
    case 'ONBUILD':
      return requireArguments(subject, 'an instruction', 'ONBUILD RUN make');
    case 'USER':
      return requireArguments(subject, 'a user', 'USER nobody');
    case 'WORKDIR':
      return requireArguments(subject, 'a folder', 'WORKDIR /app');
    case 'STOPSIGNAL':
      return requireArguments(subject, 'a signal', 'STOPSIGNAL SIGTERM');
    case 'MAINTAINER':
      return requireArguments(subject, 'a name', 'MAINTAINER someone@example.com');
  }
}

function requireArguments(subject: Subject, what: string, example: string): Findings {
  if (subject.args !== '') return NONE;
  return [atKeyword(subject, { message: `${subject.keyword} needs ${what}`, hint: `For example: ${example}` })];
}

function checkFrom(subject: Subject): Findings {
  const [image, as, name, extra] = placedFields(subject.args);
  const hint = 'Write FROM IMAGE or FROM IMAGE AS NAME.';
  if (image === undefined) return [atKeyword(subject, { message: 'FROM needs an image', hint })];
  if (as === undefined) return NONE;
  if (as.text.startsWith('--')) {
    const order = `Flags come before the image: FROM ${shown(as.text)} ${shown(image.text)}`;
    return [atWord(subject, as, { message: `${shown(as.text)} stands behind the image`, hint: order })];
  }
  if (as.text.toLowerCase() !== 'as') {
    const guess = name === undefined ? `Did you mean FROM ${shown(image.text)} AS ${shown(as.text)}?` : hint;
    return [atWord(subject, as, { message: `FROM takes one image, and ${shown(as.text)} is too much`, hint: guess })];
  }
  if (name === undefined) return [atWord(subject, as, { message: 'the stage has no name after AS', hint })];
  if (extra !== undefined) return [atWord(subject, extra, { message: `${shown(extra.text)} is too much behind the stage's name`, hint })];
  if (/^[a-z][a-z0-9\-_.]*$/i.test(name.text)) return NONE;
  const rule = 'It begins with a letter and has only letters, digits, - _ and . after that.';
  return [atWord(subject, name, { message: `${shown(name.text)} is no name for a stage`, hint: rule })];
}

function checkCopy(subject: Subject): Findings {
  const { keyword, args, json } = subject;
  const words = copyWords(subject);
  const last = words.at(-1);
  const hint = `Write ${keyword} SOURCE... DESTINATION.`;
  if (last === undefined) return [atKeyword(subject, { message: `${keyword} needs a source and a destination`, hint })];
  if (last.kind === 'heredoc') {
    const message = `${keyword} cannot write to the heredoc ${shown(last.heredoc.word)}`;
    return [atArguments(subject, { message, hint: 'The destination comes last, behind the heredoc.' })];
  }
  if (words.length === 1) {
    return [atArguments(subject, { message: `${keyword} needs a source and a destination, and has one of them`, hint })];
  }
  if (json !== null) return NONE;
  const late = placedFields(args).slice(1);
  return late
    .filter(({ text }) => looksLikeFlag(keyword, text))
    .map((field) => lateFlag(subject, field, 'the first source', 'a file name'));
}

function lateFlag(subject: Subject, field: PlacedWord, behind: string, is: string): Finding {
  const message = `${shown(field.text)} stands behind ${behind}, so it is ${is}`;
  return warning(atWord(subject, field, { message, hint: `Flags come right after ${subject.keyword}.` }));
}

function checkRun(subject: Subject): Findings {
  if (subject.args === '') return [atKeyword(subject, { message: 'RUN needs a command' })];
  if (subject.json?.length === 0) return [atArguments(subject, { message: 'RUN needs a command, and this list is empty' })];
  return NONE;
}

/** `CMD` without a command is legal and runs an empty script; `CMD []` clears. */
function checkCommand(subject: Subject): Findings {
  const { keyword, args } = subject;
  if (args !== '') return NONE;
  const message = `${keyword} without a command runs the shell with an empty script`;
  return [warning(atKeyword(subject, { message, hint: `Write ${keyword} [] to clear it.` }))];
}

function checkShell(subject: Subject): Findings {
  const { args, json } = subject;
  const hint = 'For example: SHELL ["/bin/bash", "-c"]';
  if (args === '') return [atKeyword(subject, { message: 'SHELL needs a list of strings', hint })];
  if (json === null) return [atArguments(subject, { message: 'SHELL takes only the JSON form', hint })];
  return json.length > 0 ? NONE : [atArguments(subject, { message: 'SHELL needs at least one string', hint })];
}

function checkHealthcheck(subject: Subject): Findings {
  const [kind, first] = placedFields(subject.args);
  if (kind === undefined) {
    return [atKeyword(subject, { message: 'HEALTHCHECK needs CMD or NONE', hint: 'Write HEALTHCHECK CMD COMMAND or HEALTHCHECK NONE.' })];
  }
  switch (kind.text.toUpperCase()) {
    case 'NONE': {
      const idle = subject.flags.map(({ name }) =>
        warning(atKeyword(subject, { message: `HEALTHCHECK NONE has no use for --${shown(name)}` })),
      );
      return first === undefined ? idle : [...idle, atWord(subject, first, { message: 'HEALTHCHECK NONE takes no arguments' })];
    }
    case 'CMD':
      if (first === undefined || subject.json?.length === 0) {
        return [atWord(subject, kind, { message: 'HEALTHCHECK CMD needs a command' })];
      }
      return looksLikeFlag('HEALTHCHECK', first.text) ? [lateFlag(subject, first, 'CMD', 'the command')] : NONE;
    default: {
      const hint = `Write HEALTHCHECK CMD ${shown(kind.text)} ..., or HEALTHCHECK NONE.`;
      return [atWord(subject, kind, { message: `HEALTHCHECK begins with CMD or NONE, not ${shown(kind.text)}`, hint })];
    }
  }
}

function checkVolume(subject: Subject): Findings {
  const { args, json } = subject;
  if (args === '') return [atKeyword(subject, { message: 'VOLUME needs at least one path', hint: 'For example: VOLUME /data' })];
  if (json?.length === 0) return [atArguments(subject, { message: 'VOLUME needs at least one path, and this list is empty' })];
  return json?.some((path) => path.trim() === '') ? [atArguments(subject, { message: 'VOLUME has an empty path' })] : NONE;
}

function checkPairs(subject: Subject, keyword: 'ENV' | 'LABEL' | 'ARG'): Findings {
  const { args, argsOffset } = subject;
  if (args === '') {
    return [atKeyword(subject, { message: `${keyword} needs at least one argument`, hint: `For example: ${keyword} NAME=VALUE` })];
  }
  const result = readPairs(keyword, args, subject.escape);
  return 'pairs' in result ? NONE : [{ level: 'error', fault: result.fault, offset: argsOffset + result.offset, width: result.width }];
}

function atKeyword({ keyword, keywordOffset }: Subject, fault: Fault): Finding {
  return { level: 'error', fault, offset: keywordOffset, width: keyword.length };
}

function atArguments({ args, argsOffset }: Subject, fault: Fault): Finding {
  return { level: 'error', fault, offset: argsOffset, width: args.length };
}

function atWord({ argsOffset }: Subject, { text, offset }: PlacedWord, fault: Fault): Finding {
  return { level: 'error', fault, offset: argsOffset + offset, width: text.length };
}

function warning(finding: Finding): Finding {
  return { ...finding, level: 'warning' };
}
