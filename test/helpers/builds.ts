/**
 * Fixtures of fixtures/builds/ and the builders that are given them: tsbuild as a program, and Debian's buildah as a second
 * opinion. See fixtures/builds/README.md for the files of a fixture.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BaseName, baseMissing } from './debian-base.ts';
import { fixtureNames } from './fixture-folders.ts';
import { configFields, type FileNode, lineOf, type ReadImage } from './oci-reader.ts';
import { missing } from './tools.ts';
import { asUser, type UnprivilegedUser } from './unprivileged-user.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/builds', import.meta.url));
export const TSBUILD = fileURLToPath(new URL('../../bin/tsbuild.js', import.meta.url));

/** build.json */
interface BuildOptions {
  readonly needs?: readonly string[];
  /** process.arch that the expectations are for. */
  readonly arch?: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Secret id to a file of the fixture. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly dockerfileInContext?: boolean;
  /** Why an ordinary user cannot build it. */
  readonly rootless?: string;
  /** Regular expressions of paths whose content image.txt must not record, because it differs from run to run. */
  readonly volatile?: readonly string[];
  /** Regular expressions of paths that image.txt leaves out, because they depend on the packages of the base. */
  readonly unrecorded?: readonly string[];
}

interface ExpectedFile {
  readonly type?: string;
  readonly mode?: string;
  readonly owner?: string;
  readonly text?: string;
  readonly target?: string;
  readonly size?: number;
  readonly device?: string;
  readonly links?: readonly string[];
  readonly xattrs?: Readonly<Record<string, string>>;
}

/** expect.json */
export interface Expectation {
  /** Null: the path must not exist. */
  readonly files?: Readonly<Record<string, ExpectedFile | null>>;
  /** Null: the field must not exist. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Regular expression: the build must fail and say this. */
  readonly error?: string;
  /** Text that may stand in no file and nowhere in the config. */
  readonly absentText?: string;
  /** The image must hold no trace of what RUN needs: /dev, /proc, /sys, /etc/hosts, /etc/resolv.conf, /etc/hostname. */
  readonly bare?: boolean;
}

/** differences.json: where another builder does not do what tsbuild (and BuildKit) does. */
export interface Differences {
  readonly buildah?: {
    /** Why it cannot build the fixture at all. It must then fail. */
    readonly unsupported?: string;
    /** Regular expression for lines of `compareImages`, and why they differ. */
    readonly known?: readonly { readonly line: string; readonly reason: string }[];
  };
}

export interface Fixture {
  readonly name: string;
  readonly folder: string;
  readonly bases: readonly BaseName[];
  readonly options: BuildOptions;
  readonly expect: Expectation;
  readonly differences: Differences;
}

function jsonOf<T>(file: string, fallback: T): T {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : fallback;
}

export function loadFixtures(): readonly Fixture[] {
  return fixtureNames('builds')
    .map((name) => {
      const folder = join(FIXTURES, name);
      const dockerfile = readFileSync(join(folder, 'Dockerfile'), 'utf8');
      const bases = (['debian', 'busybox'] as const).filter((base) => dockerfile.includes(base));
      return {
        name,
        folder,
        bases,
        options: jsonOf<BuildOptions>(join(folder, 'build.json'), {}),
        expect: jsonOf<Expectation>(join(folder, 'expect.json'), {}),
        differences: jsonOf<Differences>(join(folder, 'differences.json'), {}),
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Why a fixture cannot be built here, or undefined. */
export function fixtureMissing({ bases, options }: Fixture): string | undefined {
  if (options.arch !== undefined && options.arch !== process.arch) return `needs a machine of architecture ${options.arch}`;
  return missing(options.needs ?? []) ?? bases.map(baseMissing).find((reason) => reason !== undefined);
}

export interface Staged extends Disposable {
  readonly folder: string;
  readonly dockerfile: string;
  readonly context: string;
}

const PREPARE = ['sh', '-euc', 'umask 022; . ../prepare.sh'] as const;

/** A copy of the fixture below `parent`, with what git cannot keep: prepare.sh makes modes, links, archives. */
export function stage(fixture: Fixture, owner?: UnprivilegedUser, parent = tmpdir()): Staged {
  const folder = mkdtempSync(join(parent, `tsbuild-fixture-${fixture.name}-`));
  chmodSync(folder, 0o755);
  cpSync(fixture.folder, folder, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  const context = join(folder, 'context');
  mkdirSync(context, { recursive: true });
  settleModes(folder);
  // Before prepare.sh: a change of owner takes setuid bits away.
  if (owner !== undefined) execFileSync('chown', ['-R', '-h', `${owner.uid}:${owner.gid}`, folder]);
  if (existsSync(join(folder, 'prepare.sh'))) {
    // The umask of a user must not reach the image.
    const [program = '', ...args] = owner === undefined ? PREPARE : asUser(owner, PREPARE);
    execFileSync(program, args, { cwd: context, stdio: ['ignore', 'inherit', 'inherit'] });
  }
  let dockerfile = join(folder, 'Dockerfile');
  if (fixture.options.dockerfileInContext === true) {
    cpSync(dockerfile, join(context, 'Dockerfile'));
    dockerfile = join(context, 'Dockerfile');
  }
  return { folder, dockerfile, context, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A checkout's modes depend on the umask it was made with; git itself keeps only whether a file is executable. */
function settleModes(folder: string): void {
  execFileSync('chmod', ['-R', 'u=rwX,go=rX', folder]);
}

/** Serves the fixture's `http/` folder; the URL is the build argument HTTP. */
export async function serveHttp(fixture: Fixture): Promise<AsyncDisposable & { readonly args: Readonly<Record<string, string>> }> {
  const folder = join(fixture.folder, 'http');
  if (!existsSync(folder)) return { args: {}, [Symbol.asyncDispose]: () => Promise.resolve() };
  const server = createServer((request, response) => {
    const file = join(folder, new URL(request.url ?? '/', 'http://x').pathname);
    if (!existsSync(file)) response.writeHead(404).end('nothing here');
    else response.writeHead(200, { 'last-modified': 'Tue, 14 Nov 2023 22:13:20 GMT' }).end(readFileSync(file));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { args: { HTTP: `http://127.0.0.1:${address.port}` }, [Symbol.asyncDispose]: close };
}

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** stdout and stderr as they came. */
  readonly log: string;
}

/** Runs a program to its end; never throws for what the program does. */
export function execute(argv: readonly string[], env: NodeJS.ProcessEnv = process.env, timeoutMs = 240_000): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const [program = '', ...args] = argv;
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' });
    const stdout: Buffer[] = [];
    const all: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => {
      stdout.push(chunk);
      all.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => all.push(chunk));
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({ code, signal, stdout: Buffer.concat(stdout).toString(), log: Buffer.concat(all).toString() }),
    );
  });
}

export interface TsbuildRun {
  readonly host: string;
  readonly staged: Pick<Staged, 'dockerfile' | 'context' | 'folder'>;
  readonly options?: BuildOptions;
  /** `repository:tag` in `host`. */
  readonly to: string;
  readonly cacheFolder: string;
  readonly user?: UnprivilegedUser;
  readonly flags?: readonly string[];
}

/** The command line of tsbuild for a staged build. */
export function tsbuildCommand({ cacheFolder, user, flags = [], ...built }: TsbuildRun): readonly string[] {
  const argv = [process.execPath, TSBUILD, ...fixtureFlags(built), '--cache-dir', cacheFolder, ...flags];
  return user === undefined ? argv : asUser(user, argv);
}

/** The flags of a staged build, wherever tsbuild runs. */
export function fixtureFlags({
  host,
  staged,
  options = {},
  to,
}: Pick<TsbuildRun, 'host' | 'staged' | 'options' | 'to'>): readonly string[] {
  const flags = ['--context', staged.context, '--dockerfile', staged.dockerfile, '--progress', 'plain'];
  flags.push('--destination', `${host}/${to}`, '--insecure-registry', host, '--registry-mirror', host);
  for (const [name, value] of Object.entries(options.args ?? {})) flags.push('--build-arg', `${name}=${value}`);
  if (options.target !== undefined) flags.push('--target', options.target);
  for (const [id, file] of Object.entries(options.secrets ?? {})) flags.push('--secret', `id=${id},src=${join(staged.folder, file)}`);
  return flags;
}

export function runTsbuild(run: TsbuildRun): Promise<Outcome> {
  return execute(tsbuildCommand(run));
}

/** A folder that only the given user (or this one) needs to write. */
export function scratchFolder(prefix: string, owner?: UnprivilegedUser): string {
  const folder = mkdtempSync(join(tmpdir(), `tsbuild-${prefix}-`));
  chmodSync(folder, 0o755);
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  return folder;
}

/** Removes a cache folder. An ordinary user's holds files of the ids of its user namespace, which only that namespace may remove. */
export function removeCache(folder: string): void {
  if (process.getuid?.() === 0) rmSync(folder, { recursive: true, force: true });
  else execFileSync('unshare', ['--user', '--map-root-user', '--map-auto', 'rm', '-rf', folder]);
}

export interface BuildahRun {
  readonly host: string;
  readonly staged: Staged;
  readonly options: BuildOptions;
  readonly to: string;
  /** Storage of buildah, kept between builds. */
  readonly storage: string;
}

/** Builds with Debian's buildah 1.28: chroot isolation, Docker's media types (OCI's drop HEALTHCHECK and SHELL), no layers. */
export async function runBuildah({ host, staged, options, to, storage }: BuildahRun): Promise<Outcome> {
  const conf = join(storage, 'registries.conf');
  const mirror = `[[registry]]\nprefix = "docker.io"\nlocation = "${host}"\ninsecure = true\n[[registry]]\nlocation = "${host}"\ninsecure = true\n`;
  writeFileSync(conf, `unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n${mirror}`);
  const env = { ...process.env, STORAGE_DRIVER: 'overlay', TMPDIR: storage, CONTAINERS_REGISTRIES_CONF: conf };
  const buildah = ['buildah', '--root', join(storage, 'root'), '--runroot', join(storage, 'run')];
  const image = `${host}/${to}`;
  const argv = [...buildah, 'bud', '--isolation=chroot', '--format=docker', '--tls-verify=false', '--identity-label=false', '--no-cache'];
  argv.push('--layers=false', '--force-rm', '-f', staged.dockerfile, '-t', image);
  for (const [name, value] of Object.entries(options.args ?? {})) argv.push('--build-arg', `${name}=${value}`);
  if (options.target !== undefined) argv.push('--target', options.target);
  for (const [id, file] of Object.entries(options.secrets ?? {})) argv.push('--secret', `id=${id},src=${join(staged.folder, file)}`);
  const built = await execute([...argv, staged.context], env);
  if (built.code !== 0) return built;
  const pushed = await execute([...buildah, 'push', '-q', '--tls-verify=false', image], env);
  await execute([...buildah, 'rmi', '-f', image], env);
  return { ...pushed, log: built.log + pushed.log };
}

/** Why an image is not what a fixture expects; empty when it is. */
export function unmet(expect: Expectation, image: ReadImage): readonly string[] {
  const faults: string[] = [];
  for (const [path, wanted] of Object.entries(expect.files ?? {})) {
    const node = image.files.get(path);
    if (wanted === null) {
      if (node !== undefined) faults.push(`${path} must not exist: ${lineOf(path, node)}`);
    } else if (node === undefined) {
      faults.push(`${path} is missing`);
    } else {
      faults.push(...unmetFile(path, wanted, node));
    }
  }
  const fields = configFields(image);
  for (const [key, wanted] of Object.entries(expect.config ?? {})) {
    const got = fields.get(key) ?? null;
    const empty = wanted === '' && got === null;
    if (!empty && sortedJson(got) !== sortedJson(wanted))
      faults.push(`config ${key}: ${JSON.stringify(got)}, expected ${JSON.stringify(wanted)}`);
  }
  if (expect.bare === true) {
    for (const path of image.files.keys()) {
      if (/^\/(dev|proc|sys|etc\/(hosts|hostname|resolv\.conf))(\/|$)/.test(path)) faults.push(`${path} is left behind by RUN`);
    }
  }
  const { absentText } = expect;
  if (absentText !== undefined) {
    for (const [path, node] of image.files) if (node.text?.includes(absentText) === true) faults.push(`${path} holds ${absentText}`);
    if (JSON.stringify(image.config).includes(absentText)) faults.push(`the config holds ${absentText}`);
  }
  return faults;
}

function unmetFile(path: string, wanted: ExpectedFile, node: FileNode): readonly string[] {
  const got: Required<ExpectedFile> = {
    type: node.type,
    mode: node.mode.toString(8).padStart(4, '0'),
    owner: `${node.uid}:${node.gid}`,
    text: node.text ?? '(none)',
    target: node.target ?? '(none)',
    size: node.size ?? -1,
    device: node.device ?? '(none)',
    links: node.links ?? [],
    xattrs: node.xattrs,
  };
  return Object.entries(wanted)
    .filter(([key, value]) => sortedJson(got[key as keyof ExpectedFile]) !== sortedJson(value))
    .map(([key, value]) => `${path} ${key}: ${JSON.stringify(got[key as keyof ExpectedFile])}, expected ${JSON.stringify(value)}`);
}

/** JSON with the keys of objects in order. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) =>
    typeof v === 'object' && v !== null && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}

/** Files that every builder leaves in its own way while RUN has them mounted. */
const NOT_COMPARED = /^\/(proc|sys|dev)(\/|$)|^\/etc\/(hosts|hostname|resolv\.conf)$/;

/** One line per difference: `file PATH: ONE | OTHER` and `config FIELD: ONE | OTHER`. */
export function compareImages(one: ReadImage, other: ReadImage): readonly string[] {
  const lines: string[] = [];
  for (const path of [...new Set([...one.files.keys(), ...other.files.keys()])].sort()) {
    if (NOT_COMPARED.test(path)) continue;
    const [a, b] = [one, other].map((image) => {
      const node = image.files.get(path);
      return node === undefined ? 'absent' : lineOf(path, node);
    });
    if (a !== b) lines.push(`file ${path}: ${a} | ${b}`);
  }
  const [a, b] = [configFields(one), configFields(other)];
  for (const key of [...new Set([...a.keys(), ...b.keys()])].sort()) {
    const [x, y] = [sortedJson(a.get(key)), sortedJson(b.get(key))];
    if (x !== y) lines.push(`config ${key}: ${x} | ${y}`);
  }
  return lines;
}
