/** Files that appear whole or not at all. */
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { access, constants, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '../errors.ts';
import { makeFolder } from '../sys/make-folder.ts';

/** Writes all of `source` beside `path`, then renames it. The folder must exist. Throws OUTPUT_FAILED, and what `source` throws. */
export async function writeAtomically(path: string, source: Readable, signal: AbortSignal): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const target = createWriteStream(temporary, { flags: 'wx', highWaterMark: 1 << 20 });
  const closed = new Promise<void>((resolve) => void target.once('close', resolve));
  try {
    await pipeline(source, target, { signal });
    await rename(temporary, path);
  } catch (error) {
    // A stream that is destroyed while it opens makes its file afterwards.
    await closed;
    await rm(temporary, { force: true });
    signal.throwIfAborted();
    throw outputFailure(path, error);
  }
}

/** Makes the folder and the ones above it, and makes sure that files can be made in it. Throws OUTPUT_FAILED. */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    makeFolder(folder);
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw outputFailure(folder, error);
  }
}

/** A file can be made or replaced at `path`. Throws OUTPUT_FAILED. */
export async function prepareFile(path: string): Promise<void> {
  await prepareFolder(dirname(path));
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory() === true) throw new TsbuildError('OUTPUT_FAILED', `cannot write ${path}: it is a folder`);
}

/** Failures of the disk as OUTPUT_FAILED; our own errors pass. */
export function outputFailure(path: string, error: unknown): unknown {
  if (error instanceof TsbuildError || (error as NodeJS.ErrnoException).code === undefined) return error;
  return new TsbuildError('OUTPUT_FAILED', `cannot write ${path}: ${(error as Error).message}`, { cause: error });
}
