/**
 * `npm run demo`: one whole build on any Linux machine with Node, without Docker, network and root. A registry in this
 * process, a base image made of this machine's programs, the real command line, and a check of every digest.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { formatError } from '../report/error-text.ts';
import { palette } from '../report/terminal-text.ts';
import { count, formatBytes } from '../report/units.ts';
import { makeBaseImage } from './base-image.ts';
import { type CheckedImage, checkImage, readFileOf } from './check-image.ts';
import { findPrograms } from './programs.ts';
import { pushImage } from './push-image.ts';
import { startRegistry } from './registry-server.ts';

// dist/demo/demo.cjs
const ROOT = join(import.meta.dirname, '..', '..');
const CONTEXT = join(ROOT, 'fixtures', 'demo');
const CLI = join(ROOT, 'bin', 'tsbuild.js');
const BASE = { repository: 'demo/base', tag: '1' } as const;
const IMAGE = { repository: 'demo/hello', tag: '1' } as const;
const MESSAGE_FILE = 'hello/message.txt';

const color = process.stdout.isTTY && !process.env['NO_COLOR'] ? 'color' : 'no-color';
const paint = palette(color);

function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

function chapter(number: number, title: string): void {
  say(`\n${paint.cyan(paint.bold(`${number}/5`))}  ${paint.bold(title)}`);
}

function fact(text: string): void {
  say(`     ${text}`);
}

async function demo(): Promise<number> {
  say(`${paint.bold('tsbuild demo')}: a container image from a Dockerfile, with no Docker anywhere.`);
  if (process.platform !== 'linux') {
    say('\nThis part needs Linux: a RUN step is a Linux program in Linux namespaces.');
    return 1;
  }
  const cache = mkdtempSync(join(tmpdir(), 'tsbuild-demo-'));
  try {
    await using registry = await startRegistry();
    chapter(1, 'A registry');
    fact(`It listens on ${registry.host}, lives in this process and checks every digest that it is given.`);

    chapter(2, 'A base image, made of programs of this machine');
    const programs = findPrograms([
      ...(process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/')),
      '/usr/bin',
      '/bin',
    ]);
    const base = await makeBaseImage(programs.files);
    await pushImage(base, { host: registry.host, ...BASE });
    const size = base.blobs.reduce((sum, blob) => sum + blob.length, 0);
    fact(
      `${programs.shell} and ${count(programs.files.length - 1, 'file')} beside it became ${registry.host}/demo/base:1, ${formatBytes(size)}.`,
    );

    chapter(3, 'The build');
    const built = await buildWithCli(registry.host, cache);
    if (built === null) {
      say(`\n${paint.red('The image could not be built on this machine.')} The reason stands above, with what would help.`);
      say('A RUN step needs user namespaces, or root with CAP_SYS_ADMIN; most containers have neither unless they are privileged.');
      return 1;
    }
    chapter(4, 'The check: pull it back, recompute every digest');
    const image = await checkImage({ host: registry.host, ...IMAGE });
    const told = built.split('@')[1];
    if (told !== image.digest) throw new Error(`the command told ${told}, but the registry has ${image.digest}`);
    tellImage(image);

    chapter(5, 'What it says');
    const message = await readFileOf(image, MESSAGE_FILE);
    if (message === undefined) throw new Error(`the image has no ${MESSAGE_FILE}`);
    for (const line of message.trimEnd().split('\n')) fact(paint.green(line));

    say(`\n${paint.bold(built)}`);
    const bytes = image.layers.reduce((sum, layer) => sum + layer.bytes, image.configBytes + image.manifestBytes);
    say(
      `${count(image.layers.length, 'layer')}, ${formatBytes(bytes)}, runs as ${image.config.User}. It goes when this demo ends; your own need not:`,
    );
    say(`\n  ${paint.cyan('node bin/tsbuild.js --context . --destination registry.example/you/app:1')}\n`);
    return 0;
  } finally {
    removeCache(cache);
  }
}

/** Runs the command as a user would. `reference@digest`, or null when the build failed. */
async function buildWithCli(host: string, cache: string): Promise<string | null> {
  const args = [
    ...['--context', relative(process.cwd(), CONTEXT) || '.'],
    ...['--build-arg', `BASE=${host}/demo/base:1`],
    ...['--destination', `${host}/demo/hello:1`],
    ...['--insecure-registry', host],
  ];
  fact(paint.dim(`$ tsbuild ${args.join(' ')}`));
  say();
  const child = spawn(process.execPath, [CLI, ...args, '--cache-dir', cache], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0 ? out.trim() : null;
}

function tellImage(image: CheckedImage): void {
  const line = (what: string, digest: string, bytes: number): void =>
    fact(`${paint.green('✓')} ${what.padEnd(9)} ${digest.slice(0, 'sha256:'.length + 16)}…  ${formatBytes(bytes).padStart(9)}`);
  line('manifest', image.digest, image.manifestBytes);
  line('config', image.configDigest, image.configBytes);
  for (const [i, layer] of image.layers.entries()) line(`layer ${i + 1}`, layer.digest, layer.bytes);
}

/** An image may hold folders that their own owner may not enter, and rootless builds make them as this user. */
function removeCache(cache: string): void {
  try {
    makeFoldersOpen(cache);
    rmSync(cache, { recursive: true, force: true });
  } catch {
    // The image is checked; a leftover folder is worth a line, not a failure.
    say(`(${cache} could not be removed)`);
  }
}

function makeFoldersOpen(folder: string): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) makeFoldersOpen(join(folder, entry.name));
}

async function main(): Promise<number> {
  if (!existsSync(join(ROOT, 'dist', 'cli', 'main.cjs'))) {
    say('dist/ is missing: run "npm run build" first.');
    return 1;
  }
  try {
    return await demo();
  } catch (error) {
    process.stderr.write(`\n${formatError(error, { color, verbosity: 'debug', readSource: () => null })}\n`);
    return 1;
  }
}

void main().then((code) => {
  process.exitCode = code;
});
