/**
 * Which files COPY and ADD take of their sources, and in which order: each source found, --exclude and --parents applied.
 * The copy itself and the digest of its sources both visit this walk, so they cannot differ.
 * Reference: BuildKit solver/llbsolver/file and fsutil's copy.
 */
import { type BytePath, type ByteString, baseName, bytesOf, joinPath, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { TreeEntry } from '../layer/tree.ts';
import { hasWildcard } from '../patterns/go-match.ts';
import { type IgnorePatterns, type IgnoreVerdict, ignorePatterns } from '../patterns/ignore-patterns.ts';
import type { CopyInput, CopyRequest } from './copy.ts';
import { type FoundSource, findParentsSources, findSources, sourceNotFound, type TreeInput } from './find-sources.ts';
import { nameOf } from './staging.ts';

export type WalkRequest = Pick<CopyRequest, 'inputs' | 'exclude' | 'parents' | 'xattrs' | 'signal'>;
export type FileInput = Extract<CopyInput, { kind: 'file' }>;

/** Called in the order in which things are put. Callbacks may wait only where they return a promise. */
export interface SourceVisitor {
  /** One that is in no tree. */
  loose(input: FileInput): Promise<void> | void;
  /** A source that is no folder. `path` is as named or matched: its last part is the file's name in a folder. */
  single(path: BytePath, entry: TreeEntry): Promise<void> | void;
  /** A folder whose content comes next; `entry` is null for --parents, which has several such sources as one. */
  root(entry: TreeEntry | null): void;
  /** A folder below the root: once, and before what is in it; `inside` is its path from the root. */
  folder(inside: BytePath, entry: TreeEntry): void;
  /** Anything else below the root. */
  node(inside: BytePath, entry: TreeEntry): void;
  /** A device or fifo of a context, which is not copied. */
  foreign(input: TreeInput, path: BytePath, entry: TreeEntry): void;
  /** A pattern that takes nothing. */
  nothing(input: TreeInput): void;
}

/** Throws COPY_SOURCE_NOT_FOUND, COPY_FAILED, DOCKERIGNORE_SYNTAX (--exclude), CONTEXT_READ, and what the visitor throws. */
export async function walkSources(request: WalkRequest, visitor: SourceVisitor): Promise<void> {
  const exclude = ignorePatterns(request.exclude.map(bytesOf), '--exclude');
  for (const input of request.inputs) {
    request.signal.throwIfAborted();
    if (input.kind === 'file') {
      await visitor.loose(input);
      continue;
    }
    const walk: Walk = { request, visitor, input, exclude, include: null };
    if (request.parents) walkParents(walk);
    else await walkFound(walk);
  }
}

interface Walk {
  readonly request: WalkRequest;
  readonly visitor: SourceVisitor;
  readonly input: TreeInput;
  readonly exclude: IgnorePatterns;
  /** --parents: only what these match is taken, folders above it as needed. */
  readonly include: IgnorePatterns | null;
}

async function walkFound(walk: Walk): Promise<void> {
  const sources = findSources(walk.input, walk.input.pattern);
  if (sources.length === 0) walk.visitor.nothing(walk.input);
  for (const source of sources) await walkSource(walk, source);
}

async function walkSource(walk: Walk, source: FoundSource): Promise<void> {
  const { input, visitor } = walk;
  const entry = input.tree.lstat(source.followed);
  if (entry === undefined) throw sourceNotFound(input, source.path);
  if (entry.node.type === 'dir') {
    visitor.root(entry);
    walkChildren(walk, { from: source.followed, inside: '', verdicts: NO_VERDICTS, ready: () => undefined });
    return;
  }
  if (source.how === 'matched' && walk.exclude.judgePath(baseName(source.path)).ignored) return;
  if (isForeign(walk, entry)) {
    throw new TsbuildError(
      'COPY_FAILED',
      `"${textOf(source.path)}" is a ${nameOf(entry)}: only files, folders and symbolic links are copied from a context`,
    );
  }
  await visitor.single(source.path, entry);
}

/**
 * --parents: the pattern is matched below its pivot (`/./`, else the root), and what it matches keeps its path from there.
 * Nothing on the way is dereferenced, so a symlinked folder leads nowhere.
 */
function walkParents(walk: Walk): void {
  const { input, visitor } = walk;
  const { bases, pattern } = findParentsSources(input);
  const include = pattern === '' ? null : ignorePatterns([`./${pattern}`], 'COPY --parents');
  let taken = 0;
  for (const base of bases) {
    visitor.root(null);
    taken += walkChildren({ ...walk, include }, { from: base.followed, inside: '', verdicts: NO_VERDICTS, ready: () => undefined });
  }
  if (hasWildcard(pattern) && taken === 0) visitor.nothing(input);
}

interface Verdicts {
  readonly include: IgnoreVerdict | null;
  readonly exclude: IgnoreVerdict | null;
}

const NO_VERDICTS: Verdicts = { include: null, exclude: null };

interface Folder {
  readonly from: BytePath;
  /** Path below the source's root: what patterns see. */
  readonly inside: BytePath;
  readonly verdicts: Verdicts;
  /** Visits this folder and those above it that have not been; called before something in it is. */
  ready(): void;
}

/** Returns how many things were visited, foreign ones and folders that are only on the way aside. */
function walkChildren(walk: Walk, folder: Folder): number {
  const { input } = walk;
  walk.request.signal.throwIfAborted();
  let count = 0;
  for (const name of input.tree.list(folder.from)) {
    const entry = input.tree.lstat(joinPath(folder.from, name));
    if (entry !== undefined) count += walkChild(walk, folder, name, entry);
  }
  return count;
}

function walkChild(walk: Walk, folder: Folder, name: ByteString, entry: TreeEntry): number {
  const { visitor, include, exclude } = walk;
  const from = joinPath(folder.from, name);
  const inside = joinPath(folder.inside, name);
  const verdicts = {
    include: include?.judge(inside, folder.verdicts.include) ?? null,
    exclude: exclude.judge(inside, folder.verdicts.exclude),
  };
  const wanted = verdicts.include?.ignored !== false && !verdicts.exclude.ignored;
  if (entry.node.type !== 'dir') {
    if (!wanted) return 0;
    if (isForeign(walk, entry)) {
      visitor.foreign(walk.input, from, entry);
      return 0;
    }
    folder.ready();
    visitor.node(inside, entry);
    return 1;
  }
  let isReady = false;
  const ready = (): void => {
    if (isReady) return;
    folder.ready();
    visitor.folder(inside, entry);
    isReady = true;
  };
  if (wanted) ready();
  const own = wanted ? 1 : 0;
  if (verdicts.exclude.ignored && exclude.canPrune(inside, verdicts.exclude)) return own;
  if (verdicts.include?.ignored === false && include?.mayMatchBelow(inside) === false) return own;
  return own + walkChildren(walk, { from, inside, verdicts, ready });
}

/** Devices and fifos of a context are this machine's business; those of another stage are part of its image. */
function isForeign({ request }: Walk, { node: { type } }: TreeEntry): boolean {
  return request.xattrs === 'drop' && (type === 'char' || type === 'block' || type === 'fifo');
}
