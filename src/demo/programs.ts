/**
 * Programs of this machine and what they need to run elsewhere: the files that a small base image is made of. busybox alone
 * if it is here, else sh and a few commands with the libraries that ldd names.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { TsbuildError } from '../errors.ts';

export interface ImageFile {
  /** In the image, absolute. */
  readonly path: string;
  readonly content: { readonly kind: 'copy'; readonly from: string } | { readonly kind: 'link'; readonly target: string };
}

export interface Programs {
  /** For people: what the shell is. */
  readonly shell: string;
  readonly files: readonly ImageFile[];
}

/** What the demo's Dockerfile calls. */
const COMMANDS = ['cat', 'ls', 'mkdir', 'echo', 'uname', 'wc', 'test', 'id', 'env'] as const;

/** Looks in `folders`, in order. Throws NOT_SUPPORTED where no shell or no ldd is found. */
export function findPrograms(folders: readonly string[]): Programs {
  const busybox = find('busybox', folders);
  if (busybox !== undefined) {
    const links = ['sh', ...COMMANDS].map((name): ImageFile => ({ path: `/bin/${name}`, content: { kind: 'link', target: 'busybox' } }));
    return { shell: busybox, files: [...withLibraries(busybox, '/bin/busybox'), ...links] };
  }
  const shell = find('sh', folders);
  if (shell === undefined) throw new TsbuildError('NOT_SUPPORTED', 'there is no shell on this machine that an image could be made of');
  const files = new Map<string, ImageFile>();
  for (const name of ['sh', ...COMMANDS]) {
    const path = find(name, folders);
    for (const file of path === undefined ? [] : withLibraries(path, `/bin/${name}`)) files.set(file.path, file);
  }
  return { shell: realpathSync(shell), files: [...files.values()] };
}

function find(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us: the next folder may have it.
    return false;
  }
}

function withLibraries(program: string, path: string): readonly ImageFile[] {
  const libraries = librariesOf(program).map(
    (library): ImageFile => ({ path: library, content: { kind: 'copy', from: realpathSync(library) } }),
  );
  return [{ path, content: { kind: 'copy', from: realpathSync(program) } }, ...libraries];
}

/** Absolute paths that the loader opens, the loader's own included. */
function librariesOf(program: string): readonly string[] {
  let told: string;
  try {
    told = execFileSync('ldd', [realpathSync(program)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stderr = '', stdout = '', code } = error as { stderr?: string; stdout?: string; code?: string };
    if (code === 'ENOENT') {
      throw new TsbuildError('NOT_SUPPORTED', `ldd is missing, so the libraries of ${basename(program)} cannot be found`, {
        hint: 'install ldd (package libc-bin) or a static busybox (package busybox-static)',
      });
    }
    // glibc's and musl's words for a static program.
    if (/not a dynamic executable|not a valid dynamic program/i.test(stderr + stdout)) return [];
    throw error;
  }
  const missing = /^\s*(\S+) => not found/m.exec(told)?.[1];
  if (missing !== undefined) throw new TsbuildError('NOT_SUPPORTED', `${program} needs ${missing}, which is not on this machine`);
  return [...told.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path = '']) => path);
}
