/**
 * Tells ext4 that the folders in a folder have nothing to do with each other, so that it puts each where the disk is emptiest
 * (EXT4_TOPDIR_FL; `chattr +T`). ext4 takes no inode again that was deleted within the last five minutes, and asks of each
 * one before the next free: where a tree of some thousand files has just been removed, unpacking another one beside it takes
 * up to ten times as long. Names must differ from time to time, since they have a say in the choice. ioctl_fsflags(2).
 */
import { closeSync, constants, openSync } from 'node:fs';
import { libcFunction } from './libc.ts';

const TOPDIR = 0x20000;
/** _IOR('f', 1, long) and _IOW('f', 2, long), as most machines count them; the kernel reads and writes 32 bits. */
const GET_FLAGS = 0x8008_6601;
const SET_FLAGS = 0x4008_6602;
/** MIPS and PowerPC number ioctls in another way. */
const OTHERWISE: readonly string[] = ['mips', 'mipsel', 'ppc', 'ppc64'];

const ioctl = libcFunction('int ioctl(int fd, unsigned long request, void *data)');

/** Other file systems, and folders of another user, stay as they are: nothing depends on it but speed. */
export function spreadFolders(folder: string): void {
  if (OTHERWISE.includes(process.arch)) return;
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    // An int; the rest is for kernels that would fill a long.
    const flags = new Uint32Array(2);
    if (ioctl(fd, GET_FLAGS, new Uint8Array(flags.buffer)) < 0) return;
    const [found = 0] = flags;
    if ((found & TOPDIR) !== 0) return;
    flags[0] = found | TOPDIR;
    ioctl(fd, SET_FLAGS, new Uint8Array(flags.buffer));
  } finally {
    closeSync(fd);
  }
}
