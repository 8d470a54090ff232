/** What backend tests need: a rootfs of busybox alone, layers made from folders, and changes as lines that are easy to compare. */
import { chmodSync, copyFileSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ExitStatus, LayerMaterial, Rootfs, RunSpec } from '../../src/backend/backend.ts';
import { bytesOf, forFs, joinPath } from '../../src/bytes/byte-path.ts';
import { digestOf } from '../../src/image/digest.ts';
import type { LayerEntry, PutEntry } from '../../src/layer/entry.ts';
import type { LayerIndex } from '../../src/layer/layer-index.ts';
import { replayIndex } from '../../src/layer/replay.ts';
import type { TreeEntry } from '../../src/layer/tree.ts';
import { findProgram } from '../helpers/tools.ts';

/** The static busybox of this machine, or why there is none. */
export const BUSYBOX = findProgram('busybox');

const APPLETS =
  'cat chgrp chmod chown chroot cp dd env find grep head hostname id ln ls mkdir mkfifo mknod mount mv ps pwd readlink rm rmdir setsid sh sleep sort stat tail tee touch tr true umount wc yes';

/** Makes a small distribution in `folder`, which must not exist: /bin of busybox, /etc, /tmp, and users in /etc/passwd. */
export function makeBusyboxRoot(folder: string): void {
  for (const name of ['bin', 'etc', 'tmp', 'data']) mkdirSync(join(folder, name), { recursive: true, mode: 0o755 });
  for (const name of ['.', 'bin', 'etc', 'data']) chmodSync(join(folder, name), 0o755);
  chmodSync(join(folder, 'tmp'), 0o1777);
  copyFileSync(BUSYBOX ?? '', join(folder, 'bin/busybox'));
  chmodSync(join(folder, 'bin/busybox'), 0o755);
  for (const applet of APPLETS.split(' ')) symlinkSync('busybox', join(folder, 'bin', applet));
}

/**
 * A layer whose unpacked form is `folder`, which is read now; what belongs to the user of this process is root's in it.
 * `implied`: folders that the layer's tar is said to leave out.
 */
export function folderLayer(folder: string, implied: readonly string[] = []): LayerMaterial {
  const puts = new Map<string, TreeEntry>();
  const walk = (path: string): void => {
    const host = (child: string): string | Buffer => forFs(`${bytesOf(folder)}/${child}`);
    for (const name of readdirSync(host(path), 'latin1')) {
      const child = joinPath(path, name);
      const stats = lstatSync(host(child), { bigint: true });
      const [uid, gid] = [Number(stats.uid), Number(stats.gid)];
      const owner = { uid: uid === process.getuid?.() ? 0 : uid, gid: gid === process.getgid?.() ? 0 : gid };
      const meta = { mode: Number(stats.mode & 0o7777n), ...owner, mtimeNs: stats.mtimeNs };
      if (stats.isDirectory()) {
        if (!implied.includes(child)) puts.set(child, { meta, node: { type: 'dir' } });
        walk(child);
      } else if (stats.isSymbolicLink()) {
        puts.set(child, { meta, node: { type: 'symlink', target: readlinkSync(host(child), 'latin1') } });
      } else {
        puts.set(child, { meta, node: { type: 'file', size: Number(stats.size), content: { at: 'host', path: host(child) } } });
      }
    }
  };
  walk('');
  const index: LayerIndex = { puts, removes: new Set(), opaques: new Set(), implied: new Set(implied) };
  return {
    diffId: async () => digestOf(folder),
    index,
    folder: async () => folder,
    replay: (to, signal) => replayIndex(index, to, signal),
  };
}

/** The layer that these entries would be sealed as, unpacked nowhere: a rootfs of unpacked layers must use its own folder. Its files are those of the entries. */
export function sealedLayer(entries: readonly LayerEntry[]): LayerMaterial {
  const puts = new Map<string, TreeEntry>();
  for (const entry of entries) if (entry.kind === 'put') puts.set(entry.path, treeEntry(entry, puts));
  const paths = (kind: LayerEntry['kind']): Set<string> => new Set(entries.filter((e) => e.kind === kind).map((e) => e.path));
  const index: LayerIndex = { puts, removes: paths('remove'), opaques: paths('opaque'), implied: new Set() };
  return {
    diffId: async () => digestOf(lines(entries).join('\n')),
    index,
    folder: () => Promise.reject(new Error('a sealed layer was unpacked although the rootfs holds it')),
    replay: (to, signal) => replayIndex(index, to, signal),
  };
}

function treeEntry({ meta, node }: PutEntry, puts: ReadonlyMap<string, TreeEntry>): TreeEntry {
  if (node.type === 'hardlink') return puts.get(node.target) as TreeEntry;
  return { meta, node };
}

export interface Shell {
  readonly status: ExitStatus;
  readonly output: string;
}

/** A plain RUN as root, with `changed` fields. */
export function spec(changed: Partial<RunSpec>): RunSpec {
  return {
    argv: ['/bin/true'],
    env: ['PATH=/bin'],
    cwd: '/',
    user: { uid: 0, gid: 0, groups: [] },
    mounts: [],
    network: 'host',
    hostname: 'buildkitsandbox',
    output: () => undefined,
    ...changed,
  };
}

const never = new AbortController().signal;

/** Runs a shell script and hands back what it printed. */
export async function shell(rootfs: Rootfs, script: string, changed: Partial<RunSpec> = {}): Promise<Shell> {
  return run(rootfs, { argv: ['/bin/sh', '-c', script], ...changed });
}

export async function run(rootfs: Rootfs, changed: Partial<RunSpec>, signal: AbortSignal = never): Promise<Shell> {
  const chunks: Uint8Array[] = [];
  const status = await rootfs.run(spec({ ...changed, output: (chunk) => void chunks.push(chunk) }), signal);
  return { status, output: Buffer.concat(chunks).toString('utf8') };
}

/** The entries of the last run. The layer is adopted, so that the next one can run. */
export async function takeChanges(rootfs: Rootfs): Promise<{ readonly entries: readonly LayerEntry[]; readonly layer: LayerMaterial }> {
  const entries: LayerEntry[] = [];
  for await (const entry of rootfs.changes(never)) entries.push(entry);
  return { entries, layer: rootfs.adopt(sealedLayer(entries)) };
}

/** `f 644 0:0 path`, `d ...`, `l ... -> target`, `h ... => target`, `- path` for a whiteout, `o path` for an opaque mark. */
export function lines(entries: readonly LayerEntry[]): string[] {
  return entries.map((entry) => {
    if (entry.kind === 'remove') return `- ${entry.path}`;
    if (entry.kind === 'opaque') return `o ${entry.path}`;
    const { node, meta, path } = entry;
    const rest = `${meta.mode.toString(8)} ${meta.uid}:${meta.gid} ${path}`;
    switch (node.type) {
      case 'symlink':
        return `l ${rest} -> ${node.target}`;
      case 'hardlink':
        return `h ${rest} => ${node.target}`;
      case 'char':
      case 'block':
        return `${node.type === 'char' ? 'c' : 'b'} ${rest} ${node.major},${node.minor}`;
      default:
        return `${node.type === 'fifo' ? 'p' : node.type[0]} ${rest}`;
    }
  });
}

/** What a script changes. The run must succeed. */
export async function changesOf(rootfs: Rootfs, script: string, changed: Partial<RunSpec> = {}): Promise<string[]> {
  const { status, output } = await shell(rootfs, script, changed);
  if (status.kind !== 'code' || status.code !== 0) throw new Error(`${script}: ${JSON.stringify(status)} ${output}`);
  return lines((await takeChanges(rootfs)).entries);
}

/** Pids of this machine's processes whose command line holds `text`. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && commandLine(pid).includes(text));
}

export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // It has just ended.
    return '';
  }
}
