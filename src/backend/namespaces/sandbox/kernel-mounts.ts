/**
 * /proc, /sys and /dev of a RUN: what Docker's default container has, with the same paths masked and read-only.
 * Source: moby daemon/pkg/oci/defaults.go, OCI runtime-spec config-linux.md "Default Devices" and "Default filesystems".
 */
import { existsSync, mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openAsStdin } from '../../../sys/exec.ts';
import { MOUNT, mount, restrictionsOf } from '../../../sys/mount.ts';
import { step } from '../../command/setup-error.ts';
import { openInRoot } from './open-in-root.ts';

const SAFE = MOUNT.nosuid | MOUNT.nodev | MOUNT.noexec;

const MASKED_IN_PROC = [
  'acpi',
  'asound',
  'interrupts',
  'kcore',
  'keys',
  'latency_stats',
  'sched_debug',
  'scsi',
  'timer_list',
  'timer_stats',
];
const READONLY_IN_PROC = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'];
const MASKED_IN_SYS = ['firmware', 'devices/virtual/powercap'];

export function mountProc(root: string, target: string): void {
  onFolder(root, target, (path) => mount({ source: 'proc', target: path, type: 'proc', flags: SAFE }));
  onFolder(root, target, (path) => {
    for (const name of MASKED_IN_PROC) mask(join(path, name));
    for (const name of READONLY_IN_PROC) bindReadonly(join(path, name));
  });
}

/** A new sysfs shows the network devices of this network; where that belongs to another user namespace, the host's /sys is shown. */
export function mountSys(root: string, target: string): void {
  try {
    onFolder(root, target, (path) => mount({ source: 'sysfs', target: path, type: 'sysfs', flags: SAFE | MOUNT.readonly }));
    // Programs read their memory and CPU limits here.
    if (existsSync('/sys/fs/cgroup')) bindTreeReadonly(root, `${target}/fs/cgroup`, '/sys/fs/cgroup');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    bindTreeReadonly(root, target, '/sys');
  }
  onFolder(root, target, (path) => {
    for (const name of MASKED_IN_SYS) mask(join(path, name));
  });
}

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const LINKS = { fd: '/proc/self/fd', stdin: '/proc/self/fd/0', stdout: '/proc/self/fd/1', stderr: '/proc/self/fd/2', ptmx: 'pts/ptmx' };

/**
 * All nodev, with the few devices bound from the host: with CAP_MKNOD a RUN could make the node of a disk otherwise.
 * Standard input becomes this /dev/null, before a mount of the RUN's own can cover it: the one it was started with is
 * the host's, whose mode and times a RUN could change through /proc/self/fd/0.
 */
export function mountDev(root: string, target: string): void {
  const flags = MOUNT.nosuid | MOUNT.nodev;
  onFolder(root, target, (path) => mount({ source: 'tmpfs', target: path, type: 'tmpfs', flags, data: 'mode=755,size=65536k' }));
  onFolder(root, target, (path) => {
    for (const name of DEVICES) {
      // Not every machine has a tty.
      if (name === 'tty' && !existsSync('/dev/tty')) continue;
      writeFileSync(join(path, name), '');
      step(`bind /dev/${name}`, () => bindHostFile(`/dev/${name}`, join(path, name)));
    }
    step('open /dev/null', () => openAsStdin(join(path, 'null')));
    for (const [name, to] of Object.entries(LINKS)) symlinkSync(to, join(path, name));
    for (const name of ['pts', 'shm', 'mqueue']) mkdirSync(join(path, name));
    step('mount /dev/pts', () => mountPts(join(path, 'pts')));
    const shm = { source: 'shm', target: join(path, 'shm'), type: 'tmpfs', flags: SAFE, data: 'mode=1777,size=65536k' };
    step('mount /dev/shm', () => mount(shm));
    step('mount /dev/mqueue', () => mount({ source: 'mqueue', target: join(path, 'mqueue'), type: 'mqueue', flags: SAFE }));
  });
}

/** gid 5 is `tty` in every distribution. A user namespace may not have it. */
function mountPts(target: string): void {
  const pts = { source: 'devpts', target, type: 'devpts', flags: MOUNT.nosuid | MOUNT.noexec };
  const options = 'newinstance,ptmxmode=0666,mode=0620';
  try {
    mount({ ...pts, data: `${options},gid=5` });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
    mount({ ...pts, data: options });
  }
}

function onFolder(root: string, target: string, use: (path: string) => void): void {
  openInRoot(root, target, 'make folder', use);
}

/** What is not there needs no mask. */
function mask(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const flags = SAFE | MOUNT.readonly;
  if (found.isDirectory()) mount({ source: 'tmpfs', target: path, type: 'tmpfs', flags, data: 'size=0k' });
  else bindHostFile('/dev/null', path);
}

/** Read-only, since the inode is the host's: that forbids to change its mode, owner and times, but not to read and write a device. */
function bindHostFile(source: string, target: string): void {
  mount({ source, target, type: null, flags: MOUNT.bind });
  restrict(target, MOUNT.readonly | MOUNT.nosuid | MOUNT.noexec);
}

function bindReadonly(path: string): void {
  if (!existsSync(path)) return;
  mount({ source: path, target: path, type: null, flags: MOUNT.bind | MOUNT.recursive });
  restrict(path, MOUNT.readonly);
}

/** Adds flags to the mount at `path`. */
function restrict(path: string, flags: number): void {
  mount({ source: 'none', target: path, type: null, flags: MOUNT.remount | MOUNT.bind | flags | restrictionsOf(path) });
}

/** A read-only bind does not make the mounts below it read-only, so each of them is remounted. */
function bindTreeReadonly(root: string, target: string, source: string): void {
  onFolder(root, target, (path) => mount({ source, target: path, type: null, flags: MOUNT.bind | MOUNT.recursive }));
  onFolder(root, target, (path) => {
    for (const mountPoint of mountPointsFrom(readlinkSync(path))) {
      try {
        restrict(mountPoint, MOUNT.readonly);
      } catch (error) {
        // In a folder that this user namespace may not enter, and so neither may the RUN.
        if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
      }
    }
  });
}

/** `top` and every mount point below it. Format: proc_pid_mountinfo(5); blanks and the like are written as `\040`. */
function mountPointsFrom(top: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((path) => path === top || path.startsWith(`${top}/`));
}
