/** Where an isolation without namespaces cannot do what namespaces do. Everything that is not here is the same on every rung. */
import type { ContainerRung } from './rung-containers.ts';

export type RungDifference =
  /** The build fails, and says this. */
  | { readonly error: RegExp; readonly reason: string }
  /** Each line of image.txt that differs matches one of these, and each of these matches a line. */
  | { readonly lines: readonly RegExp[]; readonly reason: string };

type Differences = Readonly<Record<string, RungDifference>>;

const MOUNTS: Differences = {
  'run-dev-and-sys': {
    error: /exit code 1/,
    reason: 'without mount(2) /etc/hosts and /etc/resolv.conf are files that a command can write to; what it writes is dropped',
  },
  'run-is-process-one': {
    error: /SIGKILL/,
    reason: 'without a pid namespace no process of a command has number 1, which signals cannot kill',
  },
  'run-mount-bind': {
    error: /exit code 1/,
    reason: 'without mount(2) a mount is a copy: writes to one that is read-only are dropped, not refused',
  },
  'run-mount-tmpfs': { error: /exit code [12]/, reason: 'without mount(2) a tmpfs is a folder, which /proc/mounts does not name' },
  'run-mount-tmpfs-size': { error: /exit code 1/, reason: 'without mount(2) a tmpfs is a folder, which has no size of its own' },
};

const LATE_LINKS: Differences = {
  'copy-from-links-of-run': {
    lines: [/"\/whole\/(?:deep\/one|two|three)"/],
    reason:
      'a name that a later RUN gives to a file is a file of its own in the layer, as in BuildKit; only namespaces still know within the build',
  },
};

/** An overlay makes a file of its own of the name that is written to; in a plain folder the names stay one file. */
const LINKS: Differences = {
  'run-hard-links': { lines: [/"\/h\/[bc]"/], reason: 'names of one file are changed together, as on any file system but an overlay' },
  'run-links-copied-up': { lines: [/"\/k\/(?:one|two|three)"/], reason: 'the same: a change of mode is one of all names' },
};

const NO_GROUPS = 'proot pretends no supplementary groups';

export const RUNG_DIFFERENCES: Readonly<Record<ContainerRung, Differences>> = {
  'in-place': {
    ...MOUNTS,
    ...LINKS,
    ...LATE_LINKS,
  },
  chroot: {
    ...MOUNTS,
    ...LINKS,
    ...LATE_LINKS,
    'run-keeps-build-files-out': { error: /RUN steps have no \/proc here/, reason: 'the command looks for /proc/self/status' },
  },
  proot: {
    ...MOUNTS,
    ...LINKS,
    ...LATE_LINKS,
    user: { lines: [/"\/out\/(?:app|known-number)"/], reason: NO_GROUPS },
    'debian-accounts': {
      lines: [/"\/home\/sailor\/work\/id"/, /"\/etc\/g?shadow-?"/],
      reason: `${NO_GROUPS}; a group that a RUN gives to a file it has replaced is not recorded`,
    },
    'debian-xattrs': {
      lines: [/"\/kept\/late"/, /"\/kept\/capable"/],
      reason: 'security.capability is for who has CAP_SETFCAP to set, and proot pretends nothing there',
    },
    'run-mount-cache': { lines: [/"\/stat"/], reason: 'a folder of another owner cannot be made without CAP_CHOWN' },
    'run-mount-secret': { lines: [/"\/stat2"/], reason: 'a file of another owner cannot be made without CAP_CHOWN' },
  },
};
