/**
 * Whether the `proot` rung works here, found out by letting proot run a program in a folder. For a container without any privilege:
 * an ordinary user, no capability, no-new-privileges, the runtime's default seccomp profile.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../sys/make-folder.ts';
import { MOUNT, restrictionsOf } from '../../sys/mount.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import { knowsSyscalls } from '../../sys/syscalls.ts';
import type { Probe } from '../backend.ts';
import { sysctl } from '../namespaces/process-status.ts';
import { findProgram } from '../namespaces/programs.ts';
import { guestPrograms, PROBE_WORKS } from './guest-programs.ts';
import { prootBackend } from './proot-backend.ts';

export interface ProotProbe {
  /** Where rootfs are kept; made when missing. Absolute. */
  readonly workFolder: string;
  readonly node: string;
  /** The bundled run-proot.ts. Absolute. */
  readonly run: string;
  /** Absolute; looked for where it is not given. */
  readonly proot?: string;
}

interface Obstacle {
  readonly why: string;
  readonly hint: string;
}

/** Where tsbuild's own image has it, whatever the PATH of its user is. */
const OWN_FOLDER = '/tsbuild/bin';
const TRIAL_MS = 30_000;
const INSTALL = 'install proot 5.4 or newer (Debian 14, or unstable: apt-get install proot), or use the image of tsbuild, which has it';

/** Throws what making the work folder throws. */
export async function probeProot({ workFolder, node, run, proot = findProot() }: ProotProbe): Promise<Probe> {
  const guest = guestPrograms(process.arch);
  if (process.platform !== 'linux' || !knowsSyscalls() || guest === undefined) {
    const why = `there is no support for ${process.platform} on ${process.arch}`;
    return { works: false, name: 'proot', why, hint: 'use Linux on amd64 or arm64' };
  }
  if (proot === undefined) return { works: false, name: 'proot', why: 'the program "proot" is not installed', hint: INSTALL };
  const obstacle = await trialObstacle({ workFolder, proot, program: guest.probe });
  if (obstacle !== undefined) return { works: false, name: 'proot', ...obstacle };
  return { works: true, name: 'proot', backend: () => prootBackend({ workFolder, programs: { node, run, proot, guest } }) };
}

function findProot(): string | undefined {
  return findProgram('proot', `${process.env['PATH'] ?? ''}:${OWN_FOLDER}`);
}

interface Trial {
  readonly workFolder: string;
  readonly proot: string;
  readonly program: Buffer;
}

async function trialObstacle({ workFolder, proot, program }: Trial): Promise<Obstacle | undefined> {
  makeFolder(workFolder);
  if ((restrictionsOf(workFolder) & MOUNT.noexec) !== 0) {
    return {
      why: `no program in ${workFolder} may be executed: its mount is noexec`,
      hint: 'choose a folder on a volume without this restriction with --cache-dir',
    };
  }
  const home = mkdtempSync(join(workFolder, 'probe-'));
  try {
    const [root, temporary] = [join(home, 'root'), join(home, 'proot')];
    for (const folder of [root, temporary]) mkdirSync(folder);
    writeFileSync(join(root, 'probe'), program, { mode: 0o755 });
    const { status, signal, error, stderr } = spawnSync(proot, ['--kill-on-exit', '-0', '-r', root, '-w', '/', '/probe'], {
      cwd: '/',
      env: { PROOT_NO_SECCOMP: '1', PROOT_TMP_DIR: temporary },
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
      timeout: TRIAL_MS,
    });
    if (status === PROBE_WORKS) return undefined;
    if (status === PROBE_WORKS + 1) return { why: `${proot} does not know statx(2), which every program uses`, hint: INSTALL };
    return explain(error?.message ?? (stderr.trim() || `it ended with ${signal ?? status}`), proot);
  } finally {
    await removeTree(home);
  }
}

function explain(said: string, proot: string): Obstacle {
  const scope = Number(sysctl('kernel.yama.ptrace_scope') ?? 0);
  if (scope >= 2) {
    return {
      why: `ptrace(2) is for root only here (kernel.yama.ptrace_scope is ${scope})`,
      hint: 'as root on the host: sysctl -w kernel.yama.ptrace_scope=1',
    };
  }
  if (/ptrace/.test(said)) {
    return {
      why: `ptrace(2) is forbidden here: ${said}`,
      hint: 'the default seccomp profile of Docker and containerd allows it (Kubernetes: seccompProfile.type: RuntimeDefault)',
    };
  }
  return { why: `${proot} cannot run a program: ${said}`, hint: 'proot -0 -r / true has to work here' };
}
