/**
 * Landlock: what the calling thread, and all that it becomes or starts, may do with files, whoever it is. landlock(7), kernel
 * Documentation/userspace-api/landlock.rst. Not here: which files.
 */
import { closeSync, openSync } from 'node:fs';
import { checked } from './libc.ts';
import { syscallAttributes, syscallNumbers, syscallRule } from './syscalls.ts';

/** LANDLOCK_ACCESS_FS_ */
export const ACCESS = {
  writeFile: 1n << 1n,
  readFile: 1n << 2n,
  /** REMOVE_DIR, REMOVE_FILE and MAKE_ of each kind: entries of a folder, which a rename removes and makes, too. */
  changeEntries: 0x1ff0n,
  refer: 1n << 13n,
  truncate: 1n << 14n,
} as const;

/** LANDLOCK_SCOPE_: signals and abstract sockets stay among the restricted processes. */
const SCOPES = (1n << 0n) | (1n << 1n);
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

/** The version of Landlock that this kernel has; 0: none, or it is switched off. */
export function landlockVersion(): number {
  return Math.max(0, syscallAttributes('landlock_create_ruleset', null, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

export interface LandlockRules {
  /** What is forbidden where no rule allows it: bits of ACCESS that this version of Landlock has (`refer` since 2, `truncate` since 3). */
  readonly handled: bigint;
  /** Files, and folders with all below them. Those that are gone are left out. */
  readonly allowed: readonly { readonly path: string | Buffer; readonly access: bigint }[];
  readonly version: number;
}

/** Needs no_new_privs or CAP_SYS_ADMIN. Cannot be taken back. */
export function restrictFiles({ handled, allowed, version }: LandlockRules): void {
  const attributes = Buffer.alloc(version >= 6 ? 24 : version >= 4 ? 16 : 8);
  attributes.writeBigUInt64LE(handled, 0);
  if (version >= 6) attributes.writeBigUInt64LE(SCOPES, 16);
  const ruleset = checked(syscallAttributes('landlock_create_ruleset', attributes, attributes.length, 0), 'landlock_create_ruleset');
  try {
    for (const { path, access } of allowed) allow(ruleset, path, access);
    checked(syscallNumbers('landlock_restrict_self', ruleset, 0, 0), 'landlock_restrict_self');
  } finally {
    closeSync(ruleset);
  }
}

function allow(ruleset: number, path: string | Buffer, access: bigint): void {
  const fd = openPath(path);
  if (fd === undefined) return;
  try {
    // struct landlock_path_beneath_attr is packed.
    const attributes = Buffer.alloc(12);
    attributes.writeBigUInt64LE(access, 0);
    attributes.writeInt32LE(fd, 8);
    checked(syscallRule('landlock_add_rule', ruleset, LANDLOCK_RULE_PATH_BENEATH, attributes), 'landlock_add_rule', path);
  } finally {
    closeSync(fd);
  }
}

function openPath(path: string | Buffer): number | undefined {
  try {
    return openSync(path, O_PATH | O_CLOEXEC);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
