/**
 * COPY and ADD: each source found, its files transformed (--chown, --chmod, --exclude, --parents) and staged over the
 * tree of the stage. Archives of ADD go to archive.ts. Reference: BuildKit solver/llbsolver/file and fsutil's copy.
 */
import { type BytePath, baseName, bytesOf, joinPath, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileContent, FileMeta } from '../layer/entry.ts';
import type { FileTree, TreeEntry } from '../layer/tree.ts';
import { hasWildcard } from '../patterns/go-match.ts';
import { type IgnorePatterns, type IgnoreVerdict, ignorePatterns } from '../patterns/ignore-patterns.ts';
import { extractArchive, isArchive } from './archive.ts';
import type { CopyInput, CopyRequest, CopyResult } from './copy.ts';
import { type Destination, destination } from './destination.ts';
import { type FoundSource, findParentsSources, findSources, sourceNotFound, type TreeInput } from './find-sources.ts';
import { nameOf, type Staging, staging } from './staging.ts';

const EMPTY_TREE: FileTree = {
  lstat: (path) => (path === '' ? { meta: { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n }, node: { type: 'dir' } } : undefined),
  list: () => [],
};

interface Copy {
  readonly request: CopyRequest;
  readonly stage: Staging;
  readonly to: Destination;
  readonly exclude: IgnorePatterns;
  readonly warnings: string[];
}

/** Throws COPY_SOURCE_NOT_FOUND, COPY_FAILED, ADD_FAILED, DOCKERIGNORE_SYNTAX (--exclude), CONTEXT_READ. */
export async function copyEntries(request: CopyRequest): Promise<CopyResult> {
  // With --link the layer is made as if nothing were there (Docker: "on top of scratch").
  const stage = staging(request.link ? EMPTY_TREE : request.into);
  const exclude = ignorePatterns(request.exclude.map(bytesOf), '--exclude');
  const copy: Copy = { request, stage, to: destination(request, stage), exclude, warnings: [] };
  for (const input of request.inputs) {
    request.signal.throwIfAborted();
    if (input.kind === 'file') await copyFile(copy, input);
    else if (request.parents) copyWithParents(copy, input);
    else await copyFound(copy, input);
  }
  return { entries: stage.entries(), warnings: copy.warnings };
}

async function copyFile(copy: Copy, input: Extract<CopyInput, { kind: 'file' }>): Promise<void> {
  const { content, size, mode, mtimeNs } = input;
  if (copy.request.archives === 'extract-all' && (await extractIfArchive(copy, content, input.name))) return;
  const entry: TreeEntry = { meta: { mode, uid: 0, gid: 0, mtimeNs }, node: { type: 'file', size, content } };
  copy.to.put(copy.to.file(input.name), changed(copy.request, entry));
}

async function copyFound(copy: Copy, input: TreeInput): Promise<void> {
  const sources = findSources(input, input.pattern);
  if (sources.length === 0) copy.warnings.push(`"${input.pattern}" matches nothing in ${input.label}: nothing is copied for it`);
  for (const source of sources) await copySource(copy, input, source);
}

async function copySource(copy: Copy, input: TreeInput, source: FoundSource): Promise<void> {
  const { request, to } = copy;
  const entry = input.tree.lstat(source.followed);
  if (entry === undefined) throw sourceNotFound(input, source.path);
  if (entry.node.type === 'dir') {
    const folder = to.folder();
    const walk: Walk = { copy, input, include: null, links: new Map() };
    copyChildren(walk, { from: source.followed, inside: '', to: folder, verdicts: NO_VERDICTS, ready: () => undefined });
    // Its own metadata stays dest's, except for the time, which BuildKit takes from the source.
    const made = copy.stage.lstat(folder);
    if (made !== undefined && folder !== '') copy.stage.put(folder, { ...made, meta: { ...made.meta, mtimeNs: entry.meta.mtimeNs } });
    return;
  }
  const name = baseName(source.path);
  if (source.how === 'matched' && copy.exclude.judgePath(name).ignored) return;
  if (isForeign(request, entry)) {
    throw new TsbuildError(
      'COPY_FAILED',
      `"${textOf(source.path)}" is a ${nameOf(entry)}: only files, folders and symbolic links are copied from a context`,
    );
  }
  if (entry.node.type === 'file' && request.archives !== 'keep' && (await extractIfArchive(copy, entry.node.content, source.path))) return;
  to.put(to.file(name), changed(request, entry));
}

/** Dest is made only for what is an archive; else it may still become a file. */
async function extractIfArchive(copy: Copy, content: FileContent, name: BytePath): Promise<boolean> {
  const { request, stage, to } = copy;
  if (!(await isArchive(content, request.signal))) return false;
  const { owner, nowNs, scratchFolder, signal } = request;
  await extractArchive({ content, name, into: to.archiveFolder(), stage, owner, nowNs, scratchFolder, signal });
  return true;
}

/**
 * --parents: the pattern is matched below its pivot (`/./`, else the root), and what it matches keeps its path from there.
 * Nothing on the way is dereferenced, so a symlinked folder leads nowhere.
 */
function copyWithParents(copy: Copy, input: TreeInput): void {
  const { bases, pattern } = findParentsSources(input);
  const wild = hasWildcard(pattern);
  const include = pattern === '' ? null : ignorePatterns([`./${pattern}`], 'COPY --parents');
  let copied = 0;
  for (const base of bases) {
    const walk: Walk = { copy, input, include, links: new Map() };
    copied += copyChildren(walk, { from: base.followed, inside: '', to: copy.to.folder(), verdicts: NO_VERDICTS, ready: () => undefined });
  }
  if (wild && copied === 0) copy.warnings.push(`"${input.pattern}" matches nothing in ${input.label}: nothing is copied for it`);
}

interface Walk {
  readonly copy: Copy;
  readonly input: TreeInput;
  /** --parents: only what these match is copied, folders above it as needed. */
  readonly include: IgnorePatterns | null;
  /** Files of this source that have more than one name. */
  readonly links: Map<string, TreeEntry>;
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
  readonly to: BytePath;
  readonly verdicts: Verdicts;
  /** Makes the folders above in dest; called before something is put into this one. */
  ready(): void;
}

/** Returns how many things were put. */
function copyChildren(walk: Walk, folder: Folder): number {
  const { copy, input, include } = walk;
  copy.request.signal.throwIfAborted();
  let count = 0;
  for (const name of input.tree.list(folder.from)) {
    const from = joinPath(folder.from, name);
    const entry = input.tree.lstat(from);
    if (entry === undefined) continue;
    const inside = joinPath(folder.inside, name);
    const verdicts = {
      include: include?.judge(inside, folder.verdicts.include) ?? null,
      exclude: copy.exclude.judge(inside, folder.verdicts.exclude),
    };
    const wanted = verdicts.include?.ignored !== false && !verdicts.exclude.ignored;
    const to = joinPath(folder.to, name);
    if (entry.node.type !== 'dir') {
      if (wanted) count += copyNode(walk, { entry, from, to, ready: folder.ready });
      continue;
    }
    let isReady = false;
    const ready = (): void => {
      if (isReady) return;
      folder.ready();
      putFolder(walk, entry, to);
      isReady = true;
    };
    if (wanted) {
      ready();
      count++;
    }
    if (verdicts.exclude.ignored && copy.exclude.canPrune(inside, verdicts.exclude)) continue;
    if (verdicts.include?.ignored === false && include?.mayMatchBelow(inside) === false) continue;
    count += copyChildren(walk, { from, inside, to, verdicts, ready });
  }
  return count;
}

function putFolder(walk: Walk, entry: TreeEntry, to: BytePath): void {
  const { stage, request } = walk.copy;
  const found = stage.lstat(to);
  if (found !== undefined && found.node.type !== 'dir') {
    throw new TsbuildError('COPY_FAILED', `a folder cannot be copied to "/${textOf(to)}": a ${nameOf(found)} is there`);
  }
  // BuildKit: --parents takes only the mode for a folder that is there already.
  const meta = found !== undefined && walk.include !== null ? { ...found.meta, mode: entry.meta.mode } : changed(request, entry).meta;
  stage.put(to, { meta, node: { type: 'dir' } });
}

function copyNode(walk: Walk, what: { entry: TreeEntry; from: BytePath; to: BytePath; ready(): void }): number {
  const { copy, input, links } = walk;
  const { entry, to } = what;
  if (isForeign(copy.request, entry)) {
    copy.warnings.push(`"${textOf(what.from)}" of ${input.label} is a ${nameOf(entry)} and is not copied`);
    return 0;
  }
  what.ready();
  const known = entry.link === undefined ? undefined : links.get(entry.link);
  const put = known ?? changed(copy.request, entry);
  if (entry.link !== undefined) links.set(entry.link, put);
  copy.to.put(to, put);
  return 1;
}

/** Devices and fifos of a context are this machine's business; those of another stage are part of its image. */
function isForeign(request: CopyRequest, { node: { type } }: TreeEntry): boolean {
  return request.xattrs === 'drop' && (type === 'char' || type === 'block' || type === 'fifo');
}

/** The entry with owner, mode and xattrs as the copy wants them; a new object, so that equal ones are one file. */
function changed({ owner, mode, xattrs }: CopyRequest, { meta, node }: TreeEntry): TreeEntry {
  const { type } = node;
  const next: FileMeta = {
    mode: mode === null || type === 'symlink' ? meta.mode : mode.apply(meta.mode, type === 'dir' ? 'dir' : 'other'),
    uid: owner?.uid ?? meta.uid,
    gid: owner?.gid ?? meta.gid,
    mtimeNs: meta.mtimeNs,
    ...(xattrs === 'keep' && meta.xattrs !== undefined ? { xattrs: meta.xattrs } : {}),
  };
  return { meta: next, node };
}
