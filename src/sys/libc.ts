/**
 * Calls into libc for what Node's fs lacks (xattrs, device nodes, nanosecond times, locks, mounts).
 *
 * koffi is loaded on the first call: it costs several milliseconds, which a fully cached build does not spend. Calls are
 * synchronous. Not here: what each function means; that is in the file named after the facility.
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type Koffi from 'koffi';

/** An array is `const char **`: its strings become UTF-8 with a NUL, its `null` ends it. */
export type LibcArgument = number | bigint | string | Uint8Array | BigInt64Array | readonly (string | null)[] | null;

/** Returns the function's result, or minus the errno where the function returned -1 (as the kernel does). */
export type LibcFunction = (...args: readonly LibcArgument[]) => number;

const load = createRequire(import.meta.filename);
const libc = once(() => {
  const koffi = load('koffi') as typeof Koffi;
  return { koffi, library: koffi.load(null) };
});
const errnoNames = once(() => new Map(Object.entries(constants.errno).map(([name, number]) => [number, name])));

/**
 * Declares a libc function by its C prototype, e.g. `int flock(int fd, int operation)`. It is looked up on its first
 * call. `const char *` arguments take strings without NUL and Buffers that end with NUL (see `cString`), `void *` takes
 * Buffers and null, `size_t` numbers.
 */
export function libcFunction(prototype: string): LibcFunction {
  const found = once(() => libc().library.func(prototype));
  return (...args) => {
    const result = found()(...args) as number;
    return result === -1 ? -libc().koffi.errno() : result;
  };
}

/** The same on a thread of libuv's pool, for a call that waits. The result is the function's own; errno is lost. */
export function waitingLibcFunction(prototype: string): (...args: readonly LibcArgument[]) => Promise<number> {
  const found = once(() => libc().library.func(prototype));
  return (...args) =>
    new Promise((resolve, reject) => {
      found().async(...args, (error: Error | null, result: number) => (error === null ? resolve(result) : reject(error)));
    });
}

/** Where the bytes lie in memory, for pointers inside structs. Only for arrays of more than 64 bytes, which do not move, and as long as they are referenced. */
export function addressOf(bytes: Uint8Array): bigint {
  if (bytes.length <= 64) throw new Error('a small array may be moved by the garbage collector');
  return libc().koffi.address(bytes);
}

/** A path or name for a `const char *` argument. Throws EINVAL for a NUL inside: C would silently cut the rest off. */
export function cString(text: string | Uint8Array): string | Uint8Array {
  if (typeof text === 'string') {
    if (text.includes('\0')) throw systemError(constants.errno.EINVAL, 'cString');
    return text;
  }
  if (text.includes(0)) throw systemError(constants.errno.EINVAL, 'cString');
  const terminated = new Uint8Array(text.length + 1);
  terminated.set(text);
  return terminated;
}

/** An error like those of Node's fs: `code` ('EPERM'), negative `errno`, `syscall` and `path`. `errno` is positive here. */
export function systemError(errno: number, syscall: string, path?: string | Buffer): NodeJS.ErrnoException {
  const code = errnoNames().get(errno) ?? `errno ${errno}`;
  const where = path === undefined ? '' : ` '${path.toString()}'`;
  const error: NodeJS.ErrnoException = new Error(`${code}: ${syscall}${where}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  if (path !== undefined) error.path = path.toString();
  return error;
}

/** Throws `systemError` where a LibcFunction's result is a negated errno, else hands the result through. */
export function checked(result: number, syscall: string, path?: string | Buffer): number {
  if (result < 0) throw systemError(-result, syscall, path);
  return result;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
