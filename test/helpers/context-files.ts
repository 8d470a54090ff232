/** Folders of files as data, and what it takes to get from one to the next in place, as an editor or `git checkout` does. */
import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pack } from 'tar-stream';

export type ContextFile =
  /** A file of mode 0644. */
  | string
  | {
      readonly text: string;
      readonly mode?: number;
      /** uid and gid. */
      readonly owner?: number;
      /** Seconds; `as before`: what the file had, which only its ctime tells from an unchanged one. */
      readonly mtime?: number | 'as before';
    }
  | { readonly link: string }
  | { readonly folder: number }
  /** Another path of the same context. */
  | { readonly hardLinkTo: string }
  /** An archive of files of mode 0644. */
  | { readonly tar: Readonly<Record<string, string>> };

/** By path, parents that are not listed are made with mode 0755. */
export type ContextFiles = Readonly<Record<string, ContextFile>>;

/** Turns what `before` made of a folder into `after`; what both hold is not touched. */
export async function changeContext(folder: string, before: ContextFiles, after: ContextFiles): Promise<void> {
  for (const path of Object.keys(before)) {
    if (after[path] === undefined || (differ(before[path], after[path]) && !bothText(before[path], after[path]))) {
      rmSync(join(folder, path), { recursive: true, force: true });
    }
  }
  for (const [path, file] of Object.entries(after)) {
    const hostPath = join(folder, path);
    if (!differ(before[path], file) && lstatSync(hostPath, { throwIfNoEntry: false }) !== undefined) continue;
    mkdirSync(dirname(hostPath), { recursive: true });
    await write(folder, hostPath, file);
  }
}

function differ(a: ContextFile | undefined, b: ContextFile | undefined): boolean {
  return JSON.stringify(a) !== JSON.stringify(b);
}

function isText(file: ContextFile | undefined): boolean {
  return typeof file === 'string' || (file !== undefined && 'text' in file);
}

function bothText(a: ContextFile | undefined, b: ContextFile | undefined): boolean {
  return isText(a) && isText(b);
}

async function write(folder: string, hostPath: string, file: ContextFile): Promise<void> {
  if (typeof file === 'string') return write(folder, hostPath, { text: file });
  if ('link' in file) return symlinkSync(file.link, hostPath);
  if ('hardLinkTo' in file) return linkSync(join(folder, file.hardLinkTo), hostPath);
  if ('folder' in file) {
    mkdirSync(hostPath, { recursive: true });
    return chmodSync(hostPath, file.folder);
  }
  if ('tar' in file) return writeFileSync(hostPath, await tarOf(file.tar));
  const { text, mode = 0o644, owner, mtime } = file;
  const old = mtime === 'as before' ? statSync(hostPath, { bigint: true }) : undefined;
  writeFileSync(hostPath, text);
  if (owner !== undefined) lchownSync(hostPath, owner, owner);
  chmodSync(hostPath, mode);
  if (old !== undefined) lutimesSync(hostPath, Number(old.atimeMs) / 1000, Number(old.mtimeMs) / 1000);
  else if (typeof mtime === 'number') utimesSync(hostPath, mtime, mtime);
}

/** A tar of files that root owns; the same files make the same bytes. */
export async function tarOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = pack();
  const owner = { uid: 0, gid: 0, mtime: new Date(1_700_000_000_000) };
  for (const [name, body] of Object.entries(files)) archive.entry({ name, mode: 0o644, ...owner }, body);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
