/**
 * System calls that a RUN may not make, because they reach beyond it or have been the way out of sandboxes: what Docker's
 * default profile denies to its default capabilities, by the kernel's numbers (null: that architecture has no such call).
 * Source: moby profiles/seccomp/default.json; kernel syscall tables, as libseccomp resolves them.
 */
export type Abi = 'x64' | 'i386' | 'generic' | 'arm';

/** In the order of the columns below. */
export const ABIS: readonly Abi[] = ['x64', 'i386', 'generic', 'arm'];

export type Numbers = readonly [x64: number | null, i386: number | null, generic: number | null, arm: number | null];

export const DENIED_SYSCALLS: Readonly<Record<string, Numbers>> = {
  acct: [163, 51, 89, 51],
  add_key: [248, 286, 217, 309],
  bpf: [321, 357, 280, 386],
  clock_adjtime64: [null, 405, null, 405],
  clock_settime: [227, 264, 112, 262],
  clock_settime64: [null, 404, null, 404],
  create_module: [174, 127, null, null],
  delete_module: [176, 129, 106, 129],
  fanotify_init: [300, 338, 262, 367],
  finit_module: [313, 350, 273, 379],
  fsconfig: [431, 431, 431, 431],
  fsmount: [432, 432, 432, 432],
  fsopen: [430, 430, 430, 430],
  fspick: [433, 433, 433, 433],
  get_kernel_syms: [177, 130, null, null],
  get_mempolicy: [239, 275, 236, 320],
  init_module: [175, 128, 105, 128],
  io_uring_enter: [426, 426, 426, 426],
  io_uring_register: [427, 427, 427, 427],
  io_uring_setup: [425, 425, 425, 425],
  ioperm: [173, 101, null, null],
  iopl: [172, 110, null, null],
  kcmp: [312, 349, 272, 378],
  kexec_file_load: [320, null, 294, 401],
  kexec_load: [246, 283, 104, 347],
  keyctl: [250, 288, 219, 311],
  lookup_dcookie: [212, 253, 18, 249],
  mbind: [237, 274, 235, 319],
  migrate_pages: [256, 294, 238, 400],
  mount: [165, 21, 40, 21],
  mount_setattr: [442, 442, 442, 442],
  move_mount: [429, 429, 429, 429],
  move_pages: [279, 317, 239, 344],
  nfsservctl: [180, 169, 42, 169],
  open_by_handle_at: [304, 342, 265, 371],
  open_tree: [428, 428, 428, 428],
  perf_event_open: [298, 336, 241, 364],
  pidfd_getfd: [438, 438, 438, 438],
  pivot_root: [155, 217, 41, 218],
  query_module: [178, 167, null, null],
  quotactl: [179, 131, 60, 131],
  quotactl_fd: [443, 443, 443, 443],
  reboot: [169, 88, 142, 88],
  request_key: [249, 287, 218, 310],
  set_mempolicy: [238, 276, 237, 321],
  set_mempolicy_home_node: [450, 450, 450, 450],
  setdomainname: [171, 121, 162, 121],
  sethostname: [170, 74, 161, 74],
  setns: [308, 346, 268, 375],
  settimeofday: [164, 79, 170, 79],
  stime: [null, 25, null, null],
  swapoff: [168, 115, 225, 115],
  swapon: [167, 87, 224, 87],
  sysfs: [139, 135, null, 135],
  syslog: [103, 103, 116, 103],
  umount: [null, 22, null, null],
  umount2: [166, 52, 39, 52],
  _sysctl: [156, 149, null, 149],
  uselib: [134, 86, null, 86],
  userfaultfd: [323, 374, 282, 388],
  vhangup: [153, 111, 58, 111],
  vm86: [null, 166, null, null],
  vm86old: [null, 113, null, null],
};

/** Calls that depend on their arguments, or are said not to exist. */
export const SPECIAL_SYSCALLS = {
  clone: [56, 120, 220, 120],
  clone3: [435, 435, 435, 435],
  mknod: [133, 14, null, 14],
  mknodat: [259, 297, 33, 324],
  socket: [41, null, 198, 281],
  unshare: [272, 310, 97, 337],
} as const satisfies Readonly<Record<string, Numbers>>;
