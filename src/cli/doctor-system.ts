/** This process and its surroundings, for doctor. Formats: proc_pid_status(5), cgroups(7), user_namespaces(7), capabilities(7). */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import type { SystemFacts } from '../report/doctor-facts.ts';
import { VERSION } from './version.ts';

/** By number. */
const CAPABILITIES =
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'.split(
    ' ',
  );

export function systemFacts(): SystemFacts {
  const status = readText('/proc/self/status') ?? '';
  const field = (name: string): string | undefined => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1];
  const effective = BigInt(`0x${field('CapEff') ?? '0'}`);
  const has = (bit: number): boolean => (effective & (1n << BigInt(bit))) !== 0n;
  return {
    tsbuild: VERSION,
    node: process.version,
    kernel: release(),
    architecture: process.arch,
    container: container(process.env),
    uid: process.geteuid?.() ?? 0,
    userNamespace: userNamespace(readText('/proc/self/uid_map') ?? ''),
    capabilities: CAPABILITIES.filter((_, bit) => has(bit)),
    withoutCapabilities: CAPABILITIES.filter((_, bit) => !has(bit)),
    seccomp: field('Seccomp') === '2' ? 'filter' : 'none',
    noNewPrivileges: field('NoNewPrivs') === '1',
    appArmor: readText('/proc/self/attr/apparmor/current')?.replace(/^unconfined$/, '') || null,
    cpus: availableParallelism(),
    cpuLimit: cpuLimit(),
    memoryBytes: totalmem(),
    memoryLimitBytes: memoryLimit(),
    git: findProgram('git', process.env['PATH'] ?? ''),
  };
}

/** Which container runtime says that it is one. A guess for people: nothing but this report depends on it. */
export function container(env: NodeJS.ProcessEnv): string | null {
  if (env['KUBERNETES_SERVICE_HOST'] !== undefined) return 'kubernetes';
  if (existsSync('/run/.containerenv')) return 'podman';
  if (existsSync('/.dockerenv')) return 'docker';
  const named = env['container'];
  if (named !== undefined && named !== '') return named;
  return /kubepods|docker|containerd|libpod|lxc/.test(readText('/proc/1/cgroup') ?? '') ? 'unknown' : null;
}

/** Lines `inside outside count`; the initial namespace maps every id to itself. */
function userNamespace(map: string): SystemFacts['userNamespace'] {
  const ranges = map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const [[, outsideUid = 0] = []] = ranges;
  const ids = ranges.reduce((sum, [, , count = 0]) => sum + count, 0);
  return ids === 0 || (ranges.length === 1 && ids === 0xffffffff) ? null : { ids, outsideUid };
}

/** Where this process's limits are: in a container usually the root of what it sees, on a host a path below it. */
function cgroupFiles(name: string): readonly string[] {
  const path = /^0::(.*)$/m.exec(readText('/proc/self/cgroup') ?? '')?.[1] ?? '/';
  const folders: string[] = [];
  for (let at = path; ; at = join(at, '..')) {
    folders.push(join('/sys/fs/cgroup', at, name));
    if (at === '/' || !at.startsWith('/')) return folders;
  }
}

/** The least of this group's and those above it. */
function memoryLimit(): number | null {
  const texts = [...cgroupFiles('memory.max'), '/sys/fs/cgroup/memory/memory.limit_in_bytes'].map(readText);
  const limits = texts.map(Number).filter((bytes) => Number.isFinite(bytes) && bytes > 0 && bytes < totalmem());
  return limits.length === 0 ? null : Math.min(...limits);
}

function cpuLimit(): number | null {
  const limits = cgroupFiles('cpu.max')
    .map((file) => (readText(file) ?? 'max').split(' ').map(Number))
    .map(([quota = Number.NaN, period = 100_000]) => quota / period);
  const old = Number(readText('/sys/fs/cgroup/cpu/cpu.cfs_quota_us')) / Number(readText('/sys/fs/cgroup/cpu/cpu.cfs_period_us'));
  const known = [...limits, old].filter((cpus) => Number.isFinite(cpus) && cpus > 0);
  return known.length === 0 ? null : Math.min(...known);
}

function findProgram(name: string, path: string): string | null {
  const files = path
    .split(delimiter)
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, name));
  return files.find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Without blanks at its ends; undefined: there is no such file, or it may not be read. */
function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
