/** What can be wrong with a layer that is laid into a plain folder, for people. */
import { type BytePath, textOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';

export function badLink(path: BytePath, target: BytePath): TsbuildError {
  return new TsbuildError(
    'LAYER_INVALID',
    `a layer's hard link "${textOf(path)}" leads to "${textOf(target)}", which is a folder, the link itself or below it`,
  );
}

export function noTarget(path: BytePath, target: BytePath): TsbuildError {
  return new TsbuildError(
    'LAYER_INVALID',
    `a layer's hard link "${textOf(path)}" leads to "${textOf(target)}", which neither this layer nor one below it has`,
    { hint: 'the image is damaged: containerd and podman refuse it, too' },
  );
}

export function keptTarget(path: BytePath, target: BytePath): TsbuildError {
  return new TsbuildError(
    'BACKEND_FAILED',
    `a layer's hard link "${textOf(path)}" leads to "${textOf(target)}" of a lower layer, which is out of the build's reach here`,
    { hint: 'build with another --isolation: only in place are such paths not those of the image' },
  );
}

/** What the file system refused becomes an error that names the path. */
export function explained(error: unknown, path: BytePath): unknown {
  if (error instanceof TsbuildError) return error;
  const { code, syscall = 'a system call' } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  const name = textOf(path).slice(0, 300);
  if (code === 'ENAMETOOLONG') {
    return new TsbuildError('LAYER_INVALID', `a layer holds a name or link that is too long for Linux: "${name}"`, { cause: error });
  }
  return new TsbuildError('STORE_FAILED', `"${name}" of a layer cannot be laid into the rootfs: ${code} in ${syscall}`, { cause: error });
}
