/** A step of the sandbox that failed: which one, in words for people. Init reports it, tsbuild throws it as BACKEND_FAILED. */
export class SetupError extends Error {
  readonly what: string;
  readonly code: string | null;

  constructor(what: string, why: string, details: { readonly code?: string | undefined; readonly cause?: unknown } = {}) {
    super(why, { cause: details.cause });
    this.name = 'SetupError';
    this.what = what;
    this.code = details.code ?? null;
  }
}

/** For a mount whose target leads to where nothing can be made; `missing`: what is not there. The planner and init use the same words. */
export function noMountPoint(target: string, missing: string): SetupError {
  const why = `it leads through a symlink to a place where no mount point can be made (${missing} does not exist)`;
  return new SetupError(`mount ${target}`, why, { code: NO_MOUNT_POINT });
}

export const NO_MOUNT_POINT = 'no mount point';

/** Runs one step; an error of a system call becomes a SetupError that says `what` was being done. */
export function step<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof SetupError) throw cause;
    const { message, code } = cause as NodeJS.ErrnoException;
    throw new SetupError(what, message, { code, cause });
  }
}
