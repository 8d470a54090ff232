/** What init reports, as errors for people. */
import { TsbuildError } from '../../errors.ts';
import type { ExecFailure } from './command-report.ts';
import { NO_MOUNT_POINT } from './setup-error.ts';

/** BACKEND_FAILED: the sandbox could not be made. `what`: the step that failed, as an infinitive. */
export function setupFailed(what: string, why: string, code: string | null): TsbuildError {
  return new TsbuildError('BACKEND_FAILED', `cannot ${what}: ${why}`, { hint: hintFor(what, code) });
}

function hintFor(what: string, code: string | null): string | undefined {
  if (what.startsWith('mount the overlay') && code === 'EINVAL') {
    return 'the cache folder must be on a file system that can carry an overlay (ext4, xfs, btrfs, tmpfs), not on an overlay or NFS: see --cache-dir';
  }
  if (/^(become user|hand over)/.test(what) && code === 'EINVAL') {
    return 'this id is not among those that /etc/subuid and /etc/subgid give to the user who builds: give a larger range';
  }
  if (what.startsWith('make the working directory')) {
    return 'WORKDIR must name a folder or a place where one can be made: not below /proc or /sys, nor a file or a dangling symlink';
  }
  // A seccomp profile may say that there is no such call.
  if (what.startsWith('make a network') && (code === 'EPERM' || code === 'ENOSYS')) {
    return 'RUN --network=none needs CAP_SYS_ADMIN or user namespaces: build where "tsbuild doctor" says that namespaces work, or leave the flag out';
  }
  if (code === NO_MOUNT_POINT) return 'let the symlink in the image lead to a folder that exists there, or remove it';
  if (code === 'EMFILE' || code === 'ENFILE') return 'allow more open files: ulimit -n';
  if (code === 'ENOSPC') return 'the disk of the cache folder is full, or user.max_mnt_namespaces and the like are used up';
  if (code === 'EPERM' || code === 'EACCES') return 'this machine or its container forbids the call: see the requirements in README.md';
  return undefined;
}

/** RUN_FAILED: argv[0] cannot be executed. 127 and 126 are the exit codes that shells and BuildKit give these cases. */
export function executionError(failure: ExecFailure): TsbuildError {
  const { message, code, hint } = describe(failure);
  return new TsbuildError('RUN_FAILED', `${message} (exit code ${code})`, { hint });
}

function describe(failure: ExecFailure): { message: string; code: 126 | 127; hint: string | undefined } {
  switch (failure.reason) {
    case 'not-found':
      return {
        message:
          failure.searched === null
            ? `there is no "${failure.path}" in the image`
            : `"${failure.path}" is in no folder of PATH (${failure.searched})`,
        code: 127,
        hint:
          failure.searched === null
            ? 'an image without a shell runs only the exec form: RUN ["/path/to/program", "argument"]'
            : 'is it installed in this image, and is its folder in PATH?',
      };
    case 'no-interpreter':
      return {
        message: `"${failure.path}" needs "${failure.interpreter}", which does not exist in the image`,
        code: 127,
        hint:
          failure.from === 'elf'
            ? 'the program was linked for another C library: a glibc program in a musl image, or the other way round'
            : 'its first line names an interpreter: install that, or correct the line (a file with Windows line ends has a carriage return there)',
      };
    case 'not-executable':
      return {
        message: `"${failure.path}" may not be executed: permission denied`,
        code: 126,
        hint: 'give it an executable mode (chmod +x), for this USER',
      };
    case 'wrong-architecture':
      return {
        message: `"${failure.path}" is a program for ${failure.architecture}: exec format error`,
        code: 126,
        hint: 'the base image is of another platform than this machine: choose it with --platform, or register QEMU in binfmt_misc',
      };
    case 'not-a-program':
      return {
        message: `"${failure.path}" is neither a program nor a script: exec format error`,
        code: 126,
        hint: 'a script must begin with "#!", for example #!/bin/sh',
      };
    case 'failed':
      return {
        message: `"${failure.path}" cannot be executed: ${failure.code}`,
        code: 126,
        hint:
          failure.code === 'E2BIG' ? 'arguments and environment together are too large, or one of them is larger than 128 KiB' : undefined,
      };
  }
}
