/** The key that signs device marks (layer/device-marks.ts): made once for each cache, since unpacked layers stay there. */
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';

const BYTES = 32;

/** `layersFolder`: the private folder of unpacked layers. `workFolder`: of this build, on the same file system. Throws STORE_FAILED. */
export function deviceKey(layersFolder: string, workFolder: string): Uint8Array {
  const path = join(layersFolder, 'device-key');
  try {
    return read(path) ?? make(path, join(workFolder, 'device-key'));
  } catch (cause) {
    throw new TsbuildError('STORE_FAILED', `cannot keep a key in ${layersFolder}: ${(cause as Error).message}`, { cause });
  }
}

function make(path: string, temporary: string): Uint8Array {
  writeFileSync(temporary, randomBytes(BYTES), { mode: 0o600 });
  try {
    // Complete or not there at all; another build may have been faster.
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary);
  }
  const key = read(path);
  if (key === undefined) throw new Error(`${path} was removed or is damaged`);
  return key;
}

function read(path: string): Uint8Array | undefined {
  try {
    const key = readFileSync(path);
    return key.length === BYTES ? key : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
