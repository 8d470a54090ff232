/**
 * COPY and ADD: the files of their sources transformed (--chown, --chmod) and staged over the tree of the stage. Which
 * files those are is walk-sources.ts's business; archives of ADD go to archive.ts. Reference: BuildKit
 * solver/llbsolver/file and fsutil's copy.
 */
import { type BytePath, baseName, joinPath, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileContent, FileMeta } from '../layer/entry.ts';
import type { FileTree, TreeEntry } from '../layer/tree.ts';
import { extractArchive, isArchive } from './archive.ts';
import type { CopyRequest, CopyResult } from './copy.ts';
import { type Destination, destination } from './destination.ts';
import { nameOf, type Staging, staging } from './staging.ts';
import { type FileInput, type SourceVisitor, walkSources } from './walk-sources.ts';

const EMPTY_TREE: FileTree = {
  lstat: (path) => (path === '' ? { meta: { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n }, node: { type: 'dir' } } : undefined),
  list: () => [],
};

interface Copy {
  readonly request: CopyRequest;
  readonly stage: Staging;
  readonly to: Destination;
}

/** Throws COPY_SOURCE_NOT_FOUND, COPY_FAILED, ADD_FAILED, DOCKERIGNORE_SYNTAX (--exclude), CONTEXT_READ. */
export async function copyEntries(request: CopyRequest): Promise<CopyResult> {
  // With --link the layer is made as if nothing were there (Docker: "on top of scratch").
  const stage = staging(request.link ? EMPTY_TREE : request.into);
  const warnings: string[] = [];
  await walkSources(request, copier({ request, stage, to: destination(request, stage) }, warnings));
  return { entries: stage.entries(), warnings };
}

function copier(copy: Copy, warnings: string[]): SourceVisitor {
  const { request, stage, to } = copy;
  let root: BytePath = '';
  /** Files below the root that have more than one name. */
  let links = new Map<string, TreeEntry>();
  return {
    loose: (input) => copyFile(copy, input),
    async single(path, entry) {
      if (entry.node.type === 'file' && request.archives !== 'keep' && (await extractIfArchive(copy, entry.node.content, path))) return;
      to.put(to.file(baseName(path)), changed(request, entry));
    },
    root(entry) {
      root = to.folder();
      links = new Map();
      // Its own metadata stays dest's, except for the time, which BuildKit takes from the source.
      const made = stage.lstat(root);
      if (entry !== null && made !== undefined && root !== '') {
        stage.put(root, { ...made, meta: { ...made.meta, mtimeNs: entry.meta.mtimeNs } });
      }
    },
    folder: (inside, entry) => putFolder(copy, joinPath(root, inside), entry),
    node(inside, entry) {
      const put = (entry.link === undefined ? undefined : links.get(entry.link)) ?? changed(request, entry);
      if (entry.link !== undefined) links.set(entry.link, put);
      to.put(joinPath(root, inside), put);
    },
    foreign: (input, path, entry) => warnings.push(`"${textOf(path)}" of ${input.label} is a ${nameOf(entry)} and is not copied`),
    nothing: (input) => warnings.push(`"${input.pattern}" matches nothing in ${input.label}: nothing is copied for it`),
  };
}

async function copyFile(copy: Copy, input: FileInput): Promise<void> {
  const { content, size, mode, mtimeNs } = input;
  if (copy.request.archives === 'extract-all' && (await extractIfArchive(copy, content, input.name))) return;
  const entry: TreeEntry = { meta: { mode, uid: 0, gid: 0, mtimeNs }, node: { type: 'file', size, content } };
  copy.to.put(copy.to.file(input.name), changed(copy.request, entry));
}

/** Dest is made only for what is an archive; else it may still become a file. */
async function extractIfArchive(copy: Copy, content: FileContent, name: BytePath): Promise<boolean> {
  const { request, stage, to } = copy;
  if (!(await isArchive(content, request.signal))) return false;
  const { owner, nowNs, scratchFolder, signal } = request;
  await extractArchive({ content, name, into: to.archiveFolder(), stage, owner, nowNs, scratchFolder, signal });
  return true;
}

function putFolder({ request, stage }: Copy, to: BytePath, entry: TreeEntry): void {
  const found = stage.lstat(to);
  if (found !== undefined && found.node.type !== 'dir') {
    throw new TsbuildError('COPY_FAILED', `a folder cannot be copied to "/${textOf(to)}": a ${nameOf(found)} is there`);
  }
  // BuildKit: --parents takes only the mode for a folder that is there already.
  const meta = found !== undefined && request.parents ? { ...found.meta, mode: entry.meta.mode } : changed(request, entry).meta;
  stage.put(to, { meta, node: { type: 'dir' } });
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
