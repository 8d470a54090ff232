/**
 * COPY and ADD: sources, destination and flags, all expanded but `--from`. Nothing is looked up in a file system.
 * Reference: BuildKit dockerfile2llb/convert_copy.go; semantics of sections 3 and 4 of the project's notes.
 */

import { bytesOf } from '../../bytes/byte-path.ts';
import { expandHeredoc, expandWord } from '../../dockerfile/expand.ts';
import { copyWords } from '../../dockerfile/heredoc.ts';
import type { Instruction } from '../../dockerfile/instruction.ts';
import { hasWildcard } from '../../patterns/go-match.ts';
import { parseChmod } from '../chmod.ts';
import { copyCreatedBy } from '../created-by.ts';
import { notSupported, semanticError } from '../faults.ts';
import type { CopySource, CopyStep, Origin } from '../plan.ts';
import { sourceKind } from '../sources.ts';
import { absolutePath, workingDir } from '../stage-state.ts';
import { flagSwitch, flagValue, type Lowering } from './lowering.ts';

export function lowerCopy(lowering: Lowering, instruction: Instruction & { readonly keyword: 'COPY' | 'ADD' }): CopyStep {
  const { keyword } = instruction;
  const expandFlag = (name: string): string | null => {
    const value = flagValue(instruction, name);
    return value === null ? null : expandWord(value, lowering.scope) || null;
  };
  const { sources, dest } = operands(lowering, instruction);
  const chown = expandFlag('chown');
  const chmod = expandFlag('chmod');
  const parents = flagSwitch(instruction, 'parents') === true;
  for (const source of sources) checkSource(source, keyword);
  if (sources.some((source) => source.kind === 'path' && source.pattern === '')) {
    lowering.warn(`a source of ${keyword} expands to nothing: everything is copied`, 'write "." for that');
  }
  // How many a wildcard brings is known only when the files are.
  if (sources.filter(bringsOne).length > 1 && !namesFolder(dest)) {
    throw semanticError(
      `${keyword} has ${sources.length} sources, and the destination "${dest}" is no folder`,
      `end it with a slash: ${dest}/`,
    );
  }
  if (flagSwitch(instruction, 'keep-git-dir') !== null) lowering.warn('--keep-git-dir has no effect: no source is a git repository');
  const flags = [parents ? '--parents' : '', chown === null ? '' : `--chown=${chown}`, chmod === null ? '' : `--chmod=${chmod}`];
  return {
    ...lowering.place,
    kind: 'copy',
    instruction: keyword,
    createdBy: copyCreatedBy(keyword, [...flags.filter((flag) => flag !== ''), ...sources.map(sourceText), dest]),
    origin: originOf(lowering, instruction),
    sources,
    dest: absoluteDest(workingDir(lowering.state), dest),
    chown,
    chmod: chmod === null ? null : parseChmod(chmod),
    // BuildKit makes no layer of its own with --chmod: dest's symlinks are followed then.
    link: flagSwitch(instruction, 'link') === true && chmod === null,
    parents,
    exclude: instruction.flags
      .filter(({ name, value }) => name === 'exclude' && value !== null && value !== '')
      .map(({ value }) => expandWord(value ?? '', lowering.scope)),
    checksum: checksumOf(expandFlag('checksum'), sources),
    unpack: flagSwitch(instruction, 'unpack'),
  };
}

function bringsOne(source: CopySource): boolean {
  return source.kind !== 'path' || !hasWildcard(bytesOf(source.pattern));
}

/** Paths and URLs first, then heredocs: in that order Docker copies them and shows them in history. */
function operands({ scope }: Lowering, instruction: Instruction): { readonly sources: readonly CopySource[]; readonly dest: string } {
  const words = copyWords(instruction);
  const dest = words.at(-1);
  if (dest === undefined || dest.kind === 'heredoc') throw new Error(`the parser let ${instruction.keyword} without a destination pass`);
  const paths: CopySource[] = [];
  const inline: CopySource[] = [];
  for (const word of words.slice(0, -1)) {
    if (word.kind === 'heredoc') {
      const { name, body, expand } = word.heredoc;
      inline.push({ kind: 'inline', name, body: expand ? expandHeredoc(body, { ...scope, escape: '\\' }) : body });
      continue;
    }
    const text = expandWord(word.text, scope);
    paths.push(sourceKind(text) === 'url' ? { kind: 'url', url: text } : { kind: 'path', pattern: text });
  }
  return { sources: [...paths, ...inline], dest: expandWord(dest.text, scope) };
}

function checkSource(source: CopySource, keyword: 'COPY' | 'ADD'): void {
  if (source.kind === 'inline') {
    if (/^\.{1,2}$|\//.test(source.name)) throw semanticError(`the heredoc "${source.name}" cannot be the name of a file`);
    return;
  }
  const text = sourceText(source);
  const kind = sourceKind(text);
  if (kind === 'git') {
    if (keyword === 'COPY') throw semanticError(`COPY cannot copy from the git repository ${text}`, 'use ADD');
    throw notSupported(`ADD of a git repository is not supported: ${text}`, 'clone it into the context, or in a RUN step');
  }
  if (kind === 'url' && keyword === 'COPY') throw semanticError(`COPY cannot copy from a URL: ${text}`, 'use ADD');
}

function sourceText(source: CopySource): string {
  if (source.kind === 'inline') return `<<${source.name}`;
  return source.kind === 'url' ? source.url : source.pattern;
}

function originOf(lowering: Lowering, instruction: Instruction): Origin {
  const from = instruction.flags.find(({ name }) => name === 'from');
  return from === undefined ? { kind: 'context' } : lowering.origin(from.value ?? '', 'COPY --from');
}

/** A folder by its spelling: `/`, `.`, `./`, `..`, `a/.` and so on; '' is the WORKDIR. */
function namesFolder(dest: string): boolean {
  return /(?:^|\/)\.{0,2}$/.test(dest);
}

function absoluteDest(cwd: string, dest: string): string {
  const path = absolutePath(cwd, dest);
  return namesFolder(dest) && path !== '/' ? `${path}/` : path;
}

function checksumOf(checksum: string | null, sources: readonly CopySource[]): string | null {
  if (checksum === null) return null;
  const [source, ...more] = sources;
  if (source?.kind !== 'url' || more.length > 0) throw semanticError('--checksum needs exactly one source, and that a URL');
  if (!/^sha256:[0-9a-f]{64}$/.test(checksum))
    throw semanticError(`"${checksum}" is not a checksum`, 'sha256: and 64 lower-case hex digits');
  return checksum;
}
