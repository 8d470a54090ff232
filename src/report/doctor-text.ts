/** What doctor found, for people. Lines are not wrapped, so that what a hint says to type can be copied. */
import type { CredentialFacts, DoctorFacts, Obstacle, StorageFacts, SystemFacts } from './doctor-facts.ts';
import type { ReportOptions } from './reporter.ts';
import { type Palette, palette, withoutControls } from './terminal-text.ts';
import { formatBytes } from './units.ts';

/** Whoever has so many is told what is missing instead. */
const NEARLY_ALL = 30;
const LABEL_COLUMNS = 14;

/** Ends with a newline. */
export function doctorText(facts: DoctorFacts, color: ReportOptions['color']): string {
  const paint = palette(color);
  const sections: readonly [string, readonly string[]][] = [
    ['Isolations of RUN steps, as a build tries them', isolationLines(facts, paint)],
    ['Storage', facts.storage.flatMap((place) => storageLines(place, facts, paint))],
    ['Credentials of registries', facts.credentials.map((one) => credentialLine(one, paint))],
    ['Here', systemLines(facts.system)],
  ];
  return sections.map(([title, lines]) => `${paint.bold(title)}\n${lines.map((line) => `  ${line}\n`).join('')}`).join('\n');
}

function isolationLines({ rungs, isolation, cacheFault }: DoctorFacts, paint: Palette): readonly string[] {
  const lines = rungs.flatMap((rung) => {
    if (rung.works)
      return [labelled(`${mark('ok', paint)} ${rung.name}`, rung.name === isolation ? 'works; a build takes this one' : 'works', 3)];
    return obstacleLines(`${mark('no', paint)} ${rung.name}`, rung, paint, 3);
  });
  if (isolation === null) lines.push('None works: only builds without RUN do.');
  if (cacheFault !== null) lines.push(...obstacleLines(`${mark('no', paint)} cache folder`, cacheFault, paint, 3));
  return lines;
}

function storageLines(
  { use, folder, place, fileSystem, freeBytes, freeInodes, overlay }: StorageFacts,
  { isolation }: DoctorFacts,
  paint: Palette,
): readonly string[] {
  const kind = { container: "the container's own layer", volume: 'a volume', host: 'this machine' }[place];
  const inodes = freeInodes === null ? '' : ` and ${freeInodes} inodes`;
  const line = labelled(use, `${folder}: ${fileSystem ?? 'unknown file system'}, ${kind}, ${formatBytes(freeBytes)}${inodes} free`);
  // Only rootfs need one, and only where namespaces are what isolates.
  if (use !== 'work') return [line];
  if (overlay.works) return [line, labelled('', 'an overlay works there')];
  const [first = '', ...more] = obstacleLines('', overlay, paint);
  return [line, ...(isolation === 'namespaces' || isolation === null ? [first, ...more] : [first])];
}

function credentialLine({ file, state, why, hosts, helpers }: CredentialFacts, paint: Palette): string {
  if (state === 'missing') return `${mark('no', paint)} ${file}: is not there`;
  if (state === 'invalid') return `${mark('no', paint)} ${withoutControls(why ?? file)}`;
  const names = hosts.length === 0 ? 'no registry' : hosts.join(', ');
  const by = helpers.length === 0 ? '' : `; helpers: ${helpers.join(', ')}`;
  const shadowed = state === 'shadowed' ? ' (not used: the one before it is)' : '';
  return `${mark(state === 'used' ? 'ok' : 'no', paint)} ${withoutControls(`${file}: ${names}${by}`)}${shadowed}`;
}

function systemLines(system: SystemFacts): readonly string[] {
  const { tsbuild, node, kernel, architecture, container, uid, userNamespace, cpus, cpuLimit, memoryBytes } = system;
  const who =
    userNamespace === null
      ? `uid ${uid}`
      : `uid ${userNamespace.outsideUid}, as uid ${uid} of a user namespace of ${userNamespace.ids} ids`;
  const { seccomp, noNewPrivileges, appArmor, memoryLimitBytes, git } = system;
  const limits = [
    `seccomp ${seccomp === 'filter' ? 'filters system calls' : 'off'}`,
    `no_new_privs ${noNewPrivileges ? 'set' : 'not set'}`,
    `AppArmor ${appArmor ?? 'off'}`,
  ];
  const limit = (text: string | null): string => (text === null ? 'no limit' : `limit ${text}`);
  return [
    labelled('versions', `tsbuild ${tsbuild}, Node ${node}, Linux ${kernel}, ${architecture}`),
    labelled('container', container ?? 'none noticed'),
    labelled('user', who),
    labelled('capabilities', rightsText(system)),
    labelled('confinement', withoutControls(limits.join(', '))),
    labelled('CPUs', `${cpus}, ${limit(cpuLimit === null ? null : String(cpuLimit))}`),
    labelled('memory', `${formatBytes(memoryBytes)}, ${limit(memoryLimitBytes === null ? null : formatBytes(memoryLimitBytes))}`),
    labelled('git', git ?? 'not installed: ADD and --context of git repositories do not work'),
  ];
}

function rightsText({ capabilities, withoutCapabilities }: SystemFacts): string {
  if (withoutCapabilities.length === 0) return 'all';
  if (capabilities.length === 0) return 'none';
  return capabilities.length >= NEARLY_ALL ? `all but ${withoutCapabilities.join(' ')}` : capabilities.join(' ');
}

function obstacleLines(label: string, { why, hint }: Obstacle, paint: Palette, extra = 0): readonly string[] {
  return [labelled(label, withoutControls(why), extra), labelled('', `${paint.cyan('hint:')} ${withoutControls(hint)}`, extra)];
}

function mark(word: 'ok' | 'no', paint: Palette): string {
  return word === 'ok' ? paint.green('ok') : paint.red('no');
}

/** `extra`: columns of a mark before the label. Colors take none. */
function labelled(label: string, text: string, extra = 0): string {
  const width = withoutControls(label).length;
  return `${label}${' '.repeat(Math.max(1, LABEL_COLUMNS + extra - width))}${text}`;
}
