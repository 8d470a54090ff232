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
import { semanticError } from '../faults.ts';
import { type GitFlags, parseGitUrl } from '../git-url.ts';
import type { CopySource, CopyStep, Origin } from '../plan.ts';
import { sourceKind, withoutCredentials } from '../sources.ts';
import { absolutePath, workingDir } from '../stage-state.ts';
import { flagSwitch, flagValue, type Lowering } from './lowering.ts';

export function lowerCopy(lowering: Lowering, instruction: Instruction & { readonly keyword: 'COPY' | 'ADD' }): CopyStep {
  const { keyword } = instruction;
  const expandFlag = (name: string): string | null => {
    const value = flagValue(instruction, name);
    return value === null ? null : expandWord(value, lowering.scope) || null;
  };
  const checksum = expandFlag('checksum');
  const { sources, dest } = operands(lowering, instruction, { keepGitDir: flagSwitch(instruction, 'keep-git-dir'), checksum });
  const chown = expandFlag('chown');
  const chmod = expandFlag('chmod');
  const parents = flagSwitch(instruction, 'parents') === true;
  for (const source of sources) checkSource(source);
  if (sources.some((source) => source.kind === 'path' && source.pattern === '')) {
    lowering.warn(`a source of ${keyword} expands to nothing: everything is copied`, 'write "." for that');
  }
  // How many a wildcard brings is known only when the files are. With --parents dest is the folder that the paths lie in.
  if (!parents && sources.filter(bringsOne).length > 1 && !namesFolder(dest)) {
    throw semanticError(
      `${keyword} has ${sources.length} sources, and the destination "${dest}" is no folder`,
      `end it with a slash: ${dest}/`,
    );
  }
  if (flagSwitch(instruction, 'keep-git-dir') !== null) warnOfGitDir(lowering, sources);
  const flags = [parents ? '--parents' : '', chown === null ? '' : `--chown=${chown}`, chmod === null ? '' : `--chmod=${chmod}`];
  return {
    ...lowering.place,
    title: withoutCredentials(lowering.place.title),
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
    checksum: checksumOf(checksum, sources),
    unpack: flagSwitch(instruction, 'unpack'),
  };
}

function bringsOne(source: CopySource): boolean {
  return source.kind !== 'path' || !hasWildcard(bytesOf(source.pattern));
}

interface Operands {
  readonly sources: readonly CopySource[];
  readonly dest: string;
}

/** Paths and URLs first, then heredocs: in that order Docker copies them and shows them in history. */
function operands({ scope }: Lowering, instruction: Instruction, flags: GitFlags): Operands {
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
    paths.push(sourceOf(text, instruction.keyword, flags));
  }
  return { sources: [...paths, ...inline], dest: expandWord(dest.text, scope) };
}

function sourceOf(text: string, keyword: string, flags: GitFlags): CopySource {
  const kind = sourceKind(text);
  if (kind === 'path') return { kind, pattern: text };
  const url = withoutCredentials(text);
  if (keyword === 'COPY') {
    throw semanticError(`COPY cannot copy from ${kind === 'git' ? `the git repository ${url}` : `a URL: ${url}`}`, 'use ADD');
  }
  return kind === 'git' ? { kind, url, repository: parseGitUrl(text, flags) } : { kind, url: text };
}

function checkSource(source: CopySource): void {
  if (source.kind === 'inline' && /^\.{1,2}$|\//.test(source.name)) {
    throw semanticError(`the heredoc "${source.name}" cannot be the name of a file`);
  }
}

function warnOfGitDir(lowering: Lowering, sources: readonly CopySource[]): void {
  const repositories = sources.flatMap((source) => (source.kind === 'git' ? [source.repository] : []));
  if (repositories.length === 0) lowering.warn('--keep-git-dir has no effect: no source is a git repository');
  if (repositories.some(({ gitDir, subdir }) => gitDir === 'keep' && subdir !== '')) {
    lowering.warn('--keep-git-dir has no effect: only a folder of the git repository is taken');
  }
}

/** For history: without credentials, which BuildKit keeps there. */
function sourceText(source: CopySource): string {
  switch (source.kind) {
    case 'inline':
      return `<<${source.name}`;
    case 'path':
      return source.pattern;
    default:
      return withoutCredentials(source.url);
  }
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
  if (source === undefined || source.kind === 'path' || source.kind === 'inline' || more.length > 0) {
    throw semanticError('--checksum needs exactly one source, and that a URL or a git repository');
  }
  if (source.kind === 'git') return null;
  if (!/^sha256:[0-9a-f]{64}$/.test(checksum))
    throw semanticError(`"${checksum}" is not a checksum`, 'sha256: and 64 lower-case hex digits');
  return checksum;
}
