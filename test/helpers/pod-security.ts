/**
 * Kubernetes' Pod Security Standards as a function. Reference: kubernetes.io/docs/concepts/security/pod-security-standards
 * (every control of "baseline" and "restricted" for Linux).
 */
import type { Container, PodSpec, SecurityContext, Volume } from './manifests.ts';

const BASELINE_CAPABILITIES = [
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD'],
  ...['NET_BIND_SERVICE', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
];
const SAFE_SYSCTLS = [
  ...['kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_unprivileged_port_start', 'net.ipv4.tcp_syncookies'],
  ...['net.ipv4.ping_group_range', 'net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout'],
  ...['net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes'],
];
const RESTRICTED_VOLUMES = [
  ...['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'],
];
const SELINUX_TYPES = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];

/** What of `pod` the level forbids, one line each; none: it is admitted. */
export function violations(level: 'baseline' | 'restricted', pod: PodSpec): readonly string[] {
  const found = baseline(pod);
  return level === 'baseline' ? found : [...found, ...restricted(pod)];
}

interface Scope {
  readonly of: string;
  readonly context: SecurityContext;
}

const containersOf = (pod: PodSpec): readonly Container[] => [...(pod.initContainers ?? []), ...pod.containers];

function scopesOf(pod: PodSpec): readonly Scope[] {
  const own = containersOf(pod).map(({ name, securityContext }) => ({ of: name, context: securityContext ?? {} }));
  return [{ of: 'the pod', context: pod.securityContext ?? {} }, ...own];
}

function baseline(pod: PodSpec): readonly string[] {
  const found: string[] = [];
  for (const name of ['hostNetwork', 'hostPID', 'hostIPC'] as const) if (pod[name] === true) found.push(`the pod: ${name}`);
  for (const volume of pod.volumes ?? []) if ('hostPath' in volume) found.push(`volume ${volume.name}: hostPath`);
  for (const { name, ports } of containersOf(pod)) {
    if (ports?.some(({ hostPort }) => (hostPort ?? 0) !== 0)) found.push(`${name}: hostPort`);
  }
  for (const { of, context } of scopesOf(pod)) {
    const say = (what: string): void => void found.push(`${of}: ${what}`);
    if (context.windowsOptions?.hostProcess === true) say('hostProcess');
    if (context.privileged === true) say('privileged');
    for (const name of context.capabilities?.add ?? []) if (!BASELINE_CAPABILITIES.includes(name)) say(`capability ${name}`);
    if (!['Default', undefined].includes(context.procMount)) say(`procMount ${context.procMount}`);
    if (context.seccompProfile?.type === 'Unconfined') say('seccompProfile Unconfined');
    if (context.appArmorProfile?.type === 'Unconfined') say('appArmorProfile Unconfined');
    const { type = '', user = '', role = '' } = context.seLinuxOptions ?? {};
    if (!SELINUX_TYPES.includes(type) || user !== '' || role !== '') say('seLinuxOptions');
    for (const { name } of context.sysctls ?? []) if (!SAFE_SYSCTLS.includes(name)) say(`sysctl ${name}`);
  }
  return found;
}

function restricted(pod: PodSpec): readonly string[] {
  const found: string[] = [];
  for (const volume of pod.volumes ?? []) {
    for (const kind of kindsOf(volume)) if (!RESTRICTED_VOLUMES.includes(kind)) found.push(`volume ${volume.name}: ${kind}`);
  }
  for (const { of, context } of scopesOf(pod)) {
    if (context.runAsUser === 0) found.push(`${of}: runAsUser 0`);
    if (context.runAsNonRoot === false) found.push(`${of}: runAsNonRoot false`);
  }
  for (const { name, securityContext: own = {} } of containersOf(pod)) {
    if ((own.runAsNonRoot ?? pod.securityContext?.runAsNonRoot) !== true) found.push(`${name}: runAsNonRoot is not true`);
    if (own.allowPrivilegeEscalation !== false) found.push(`${name}: allowPrivilegeEscalation is not false`);
    const seccomp = (own.seccompProfile ?? pod.securityContext?.seccompProfile)?.type ?? 'not set';
    if (!['RuntimeDefault', 'Localhost'].includes(seccomp)) found.push(`${name}: seccompProfile ${seccomp}`);
    if (!own.capabilities?.drop?.includes('ALL')) found.push(`${name}: capabilities are not dropped`);
    for (const added of own.capabilities?.add ?? []) if (added !== 'NET_BIND_SERVICE') found.push(`${name}: adds ${added}`);
  }
  return found;
}

const kindsOf = (volume: Volume): readonly string[] => Object.keys(volume).filter((key) => key !== 'name');
