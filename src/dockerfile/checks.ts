/**
 * What each instruction demands of its arguments before anything is expanded: how many there are, which form, which
 * words. Reference: BuildKit frontend/dockerfile/instructions (behaviour); where it lets a certain mistake pass, this warns.
 */
import type { Reporter } from './findings.ts';
import { looksLikeFlag } from './flags.ts';
import { copyWords } from './heredoc.ts';
import type { Instruction, ParserDirectives } from './instruction.ts';
import { placedFields, readPairs } from './pairs.ts';
import { shown } from './visible.ts';

/** An instruction to check, with the places that the reporter understands. */
export interface Subject {
  readonly instruction: Pick<Instruction, 'keyword' | 'flags' | 'args' | 'json' | 'heredocs'>;
  readonly escape: ParserDirectives['escape'];
  readonly keywordOffset: number;
  readonly argsOffset: number;
  readonly report: Reporter;
}

export function checkArguments(subject: Subject): void {
  const { keyword } = subject.instruction;
  switch (keyword) {
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
      return checkPairs(subject);
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

function requireArguments(subject: Subject, what: string, example: string): void {
  if (subject.instruction.args === '') atKeyword(subject, `${subject.instruction.keyword} needs ${what}`, `For example: ${example}`);
}

function atKeyword({ instruction, report, keywordOffset }: Subject, message: string, hint?: string): void {
  report.error({ message, hint }, keywordOffset, instruction.keyword.length);
}

function atArguments({ instruction, report, argsOffset }: Subject, message: string, hint?: string): void {
  report.error({ message, hint }, argsOffset, instruction.args.length);
}

function checkFrom(subject: Subject): void {
  const { instruction, argsOffset, report } = subject;
  const [image, as, name, extra] = placedFields(instruction.args);
  const usage = 'Write FROM IMAGE or FROM IMAGE AS NAME.';
  if (image === undefined) return atKeyword(subject, 'FROM needs an image', usage);
  if (as === undefined) return;
  const at = argsOffset + as.offset;
  if (as.text.startsWith('--')) {
    const hint = `Flags come before the image: FROM ${shown(as.text)} ${shown(image.text)}`;
    return report.error({ message: `${shown(as.text)} stands behind the image`, hint }, at, as.text.length);
  }
  if (as.text.toLowerCase() !== 'as') {
    const hint = name === undefined ? `Did you mean FROM ${shown(image.text)} AS ${shown(as.text)}?` : usage;
    return report.error({ message: `FROM takes one image, and ${shown(as.text)} is too much`, hint }, at, as.text.length);
  }
  if (name === undefined) return report.error({ message: 'the stage has no name after AS', hint: usage }, at, as.text.length);
  if (extra !== undefined) {
    const message = `FROM has ${shown(extra.text)} after the stage's name`;
    return report.error({ message, hint: usage }, argsOffset + extra.offset, extra.text.length);
  }
  if (!/^[a-z][a-z0-9\-_.]*$/i.test(name.text)) {
    const hint = 'It begins with a letter and has only letters, digits, - _ and . after that.';
    report.error({ message: `${shown(name.text)} is no name for a stage`, hint }, argsOffset + name.offset, name.text.length);
  }
}

function checkCopy(subject: Subject): void {
  const { instruction, argsOffset, report } = subject;
  const { keyword, args, json } = instruction;
  const words = copyWords(instruction);
  const last = words.at(-1);
  if (last?.kind === 'heredoc') {
    return atArguments(subject, `${keyword} cannot write to the heredoc ${shown(last.heredoc.word)}`, 'Put the destination last.');
  }
  if (words.length === 0) return atKeyword(subject, `${keyword} needs a source and a destination`);
  if (words.length === 1) return atArguments(subject, `${keyword} needs a source and a destination, and has one of them`);
  if (json !== null) return;
  for (const field of placedFields(args).slice(1)) {
    if (!looksLikeFlag(keyword, field.text)) continue;
    const message = `${shown(field.text)} stands behind the first source, so it is a file name`;
    report.warn({ message, hint: `Flags come right after ${keyword}.` }, argsOffset + field.offset, field.text.length);
  }
}

function checkRun(subject: Subject): void {
  const { args, json } = subject.instruction;
  if (args === '') atKeyword(subject, 'RUN needs a command');
  else if (json?.length === 0) atArguments(subject, 'RUN needs a command, and this list is empty');
}

/** `CMD` without a command is legal and runs an empty script; `CMD []` clears. */
function checkCommand({ instruction, report, keywordOffset }: Subject): void {
  const { keyword, args } = instruction;
  if (args !== '') return;
  const message = `${keyword} without a command runs the shell with an empty script`;
  report.warn({ message, hint: `Write ${keyword} [] to clear it.` }, keywordOffset, keyword.length);
}

function checkShell(subject: Subject): void {
  const { args, json } = subject.instruction;
  const hint = 'For example: SHELL ["/bin/bash", "-c"]';
  if (args === '') atKeyword(subject, 'SHELL needs a list of strings', hint);
  else if (json === null) atArguments(subject, 'SHELL takes only the JSON form', hint);
  else if (json.length === 0) atArguments(subject, 'SHELL needs at least one string', hint);
}

function checkHealthcheck(subject: Subject): void {
  const { instruction, argsOffset, keywordOffset, report } = subject;
  const [kind, ...rest] = placedFields(instruction.args);
  if (kind === undefined) return atKeyword(subject, 'HEALTHCHECK needs CMD or NONE', 'Write HEALTHCHECK CMD COMMAND or HEALTHCHECK NONE.');
  const at = argsOffset + kind.offset;
  const [first] = rest;
  switch (kind.text.toUpperCase()) {
    case 'NONE':
      if (first !== undefined) {
        report.error({ message: 'HEALTHCHECK NONE takes no arguments' }, argsOffset + first.offset, first.text.length);
      }
      for (const flag of instruction.flags) {
        report.warn({ message: `HEALTHCHECK NONE has no use for --${shown(flag.name)}` }, keywordOffset, instruction.keyword.length);
      }
      return;
    case 'CMD':
      if (first === undefined || instruction.json?.length === 0) {
        return report.error({ message: 'HEALTHCHECK CMD needs a command' }, at, kind.text.length);
      }
      if (looksLikeFlag('HEALTHCHECK', first.text)) {
        const message = `${shown(first.text)} stands behind CMD, so it is the command`;
        report.warn({ message, hint: 'Flags come right after HEALTHCHECK.' }, argsOffset + first.offset, first.text.length);
      }
      return;
    default: {
      const hint = `Write HEALTHCHECK CMD ${shown(kind.text)} ..., or HEALTHCHECK NONE.`;
      report.error({ message: `HEALTHCHECK begins with CMD or NONE, not ${shown(kind.text)}`, hint }, at, kind.text.length);
    }
  }
}

function checkVolume(subject: Subject): void {
  const { args, json } = subject.instruction;
  if (args === '') return atKeyword(subject, 'VOLUME needs at least one path', 'For example: VOLUME /data');
  if (json?.length === 0) return atArguments(subject, 'VOLUME needs at least one path, and this list is empty');
  if (json?.some((path) => path.trim() === '')) atArguments(subject, 'VOLUME has an empty path');
}

function checkPairs(subject: Subject): void {
  const { instruction, escape, argsOffset, report } = subject;
  const { keyword, args } = instruction;
  if (keyword !== 'ENV' && keyword !== 'LABEL' && keyword !== 'ARG') return;
  if (args === '') return atKeyword(subject, `${keyword} needs at least one argument`, `For example: ${keyword} NAME=VALUE`);
  const result = readPairs(keyword, args, escape);
  if ('fault' in result) report.error(result.fault, argsOffset + result.offset, result.width);
}
