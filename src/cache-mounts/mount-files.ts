/** What stands beside the folder of a cache mount. `path`: the folder's. */

/** Locked while a RUN has the folder; its time is that of the last use. Never removed: who waits for it would wait for nothing. */
export function lockFile(path: string): string {
  return `${path}.lock`;
}

/** The id as in the Dockerfile. */
export function idFile(path: string): string {
  return `${path}.id`;
}

/** Its bytes at the time of this file. */
export function sizeFile(path: string): string {
  return `${path}.size`;
}
