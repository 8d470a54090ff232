/** The network and name of this process's namespaces. unshare(2), netdevice(7), sethostname(2). */
import { closeSync } from 'node:fs';
import { checked, libcFunction } from './libc.ts';

const unshare = libcFunction('int unshare(int flags)');
const socket = libcFunction('int socket(int domain, int type, int protocol)');
const ioctl = libcFunction('int ioctl(int fd, unsigned long request, void *argument)');
const sethostname = libcFunction('int sethostname(const char *name, size_t length)');

const CLONE_NEWNET = 0x40000000;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
const IFR_FLAGS = 16;

/** The calling thread gets a network of its own that holds a loopback interface, up, and nothing else. */
export function enterLoopbackNetwork(): void {
  checked(unshare(CLONE_NEWNET), 'unshare network');
  const fd = checked(socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), 'socket');
  try {
    // struct ifreq: the name, then a short of flags.
    const request = Buffer.alloc(40);
    request.write('lo');
    request.writeUInt16LE(IFF_UP, IFR_FLAGS);
    checked(ioctl(fd, SIOCSIFFLAGS, request), 'ioctl SIOCSIFFLAGS');
  } finally {
    closeSync(fd);
  }
}

export function setHostname(name: string): void {
  checked(sethostname(name, Buffer.byteLength(name)), 'sethostname');
}
