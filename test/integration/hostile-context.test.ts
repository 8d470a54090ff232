/**
 * Contexts with whatever names, depths and kinds of files Linux allows: COPY, ADD and bind mounts take them byte for byte, as
 * GNU tar unpacks the layer again, or the build fails by the file's name. As root and as an ordinary user.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execute, type Outcome, scratchFolder, TSBUILD } from '../helpers/builds.ts';
import { baseMissing, pushBase } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { missing } from '../helpers/tools.ts';
import { asUser, type UnprivilegedUser, unprivilegedUser } from '../helpers/unprivileged-user.ts';

const IS_ROOT = process.getuid?.() === 0;
const ordinary = unprivilegedUser();

/** V8 since Node 22 gives young objects twice the room before it collects them. */
const MOST_MEGABYTES = Number(process.versions.node.split('.')[0]) < 22 ? 350 : 450;
// CI sets this for root where an ordinary user runs these tests anyway.
const elsewhere = process.env['TSBUILD_TEST_FIXTURES_AS_USER'] === 'elsewhere' ? 'an ordinary user runs them elsewhere' : undefined;

/** Byte strings, as in src/bytes. */
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
const at = (folder: string, name: string): Buffer => bytes(`${folder}/${name}`);

/** Names that confuse programs: no UTF-8, controls, options, patterns, quotes, whiteouts that are none, equal ones but for case or form. */
const NAMES = [
  '\xff\xfe',
  'a\nb',
  'a\tb',
  'a\rb',
  'a\\b',
  '\\',
  '-rf',
  '--help',
  ' lead',
  'trail ',
  'n'.repeat(255),
  '*',
  '?',
  '[x]',
  '{a,b}',
  '"',
  "'",
  '$HOME',
  '`id`',
  '\x1b[31m',
  '\x01',
  '\x7f',
  'wh.',
  'x.wh.y',
  '..a',
  '...',
  '.a',
  '~',
  '#',
  '!',
  utf8('é'),
  utf8('e\u0301'),
  'Case',
  'case',
  utf8('\u202e'),
  utf8('🖖'),
  '\xed\xa0\x80',
] as const;

interface Run {
  readonly user: UnprivilegedUser | null;
  folder(name: string): string;
  /** `context` is a folder; the image goes to an OCI layout. */
  build(
    context: string,
    dockerfile: string,
    more?: readonly string[],
  ): Promise<Outcome & { readonly layout: string; readonly megabytes: number; readonly cpuSeconds: number }>;
}

/** The only or the last layer as GNU tar unpacks it. */
function unpacked(layout: string, into: string): string {
  const read = (digest: string): Buffer => readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: [{ digest: string }] };
  const manifest = JSON.parse(read(index.manifests[0].digest).toString()) as { layers: { digest: string }[] };
  const layer = manifest.layers.at(-1)?.digest ?? '';
  mkdirSync(into);
  execFileSync('tar', [
    '--extract',
    '--gzip',
    '--same-permissions',
    '--directory',
    into,
    '--file',
    join(layout, 'blobs', layer.replace(':', '/')),
  ]);
  return into;
}

/** Every path with what it is, as byte strings. */
function treeOf(folder: string, inside = ''): string[] {
  return readdirSync(at(folder, inside), { encoding: 'latin1' })
    .sort()
    .flatMap((name) => {
      const path = inside === '' ? name : `${inside}/${name}`;
      const stats = lstatSync(at(folder, path));
      const mode = (stats.mode & 0o7777).toString(8);
      if (stats.isDirectory()) return [`${path}/ ${mode}`, ...treeOf(folder, path)];
      if (stats.isSymbolicLink()) return [`${path} -> ${readlinkSync(at(folder, path), { encoding: 'latin1' })}`];
      return [`${path} ${mode} ${readFileSync(at(folder, path), 'latin1')}`];
    });
}

function write(folder: string, name: string, content: string): void {
  writeFileSync(at(folder, name), bytes(content));
}

function giveTo(user: UnprivilegedUser | null, folder: string): void {
  if (user !== null) execFileSync('chown', ['-hR', `${user.uid}:${user.gid}`, folder]);
}

function namesContext(run: Run): string {
  const context = run.folder('names');
  for (const name of NAMES) write(context, name, `content of ${name}`);
  mkdirSync(at(context, 'dir\xff\n'));
  write(context, 'dir\xff\n/in\xfe', 'deep');
  symlinkSync(bytes('a\nb'), at(context, 'link\xff'));
  symlinkSync(bytes('/nowhere/\xff'), at(context, 'dangling'));
  symlinkSync('loop2', join(context, 'loop1'));
  symlinkSync('loop1', join(context, 'loop2'));
  symlinkSync('../../../../etc', join(context, 'out'));
  linkSync(at(context, 'Case'), at(context, 'hard\xff'));
  giveTo(run.user, context);
  return context;
}

function nested(folder: string, part: string, levels: number): void {
  // By steps: the whole path may be longer than a call takes.
  execFileSync('python3', [
    '-c',
    'import os,sys\nos.chdir(sys.argv[1])\nfor _ in range(int(sys.argv[3])):\n os.mkdir(sys.argv[2]); os.chdir(sys.argv[2])\nopen("leaf","w").write("leaf")',
    folder,
    part,
    String(levels),
  ]);
}

const lacking = missing(['tar', 'python3', 'gzip']);
const runs: readonly [title: string, user: UnprivilegedUser | null, reason: string | undefined][] = [
  [IS_ROOT ? 'root' : 'this user', null, lacking],
  [
    'an ordinary user',
    typeof ordinary === 'string' ? null : ordinary,
    IS_ROOT ? (elsewhere ?? lacking ?? (typeof ordinary === 'string' ? ordinary : undefined)) : 'needs root; see the other one',
  ],
];

for (const [title, user, reason] of runs) {
  describeUnless(reason, `a build by ${title}`, () => {
    let scratch = '';
    let count = 0;
    const run: Run = {
      user,
      folder(name) {
        const path = join(scratch, `${name}-${count++}`);
        mkdirSync(path);
        if (user !== null) chownSync(path, user.uid, user.gid);
        return path;
      },
      async build(context, dockerfile, more = []) {
        const work = run.folder('work');
        const layout = join(work, 'layout');
        writeFileSync(join(work, 'Dockerfile'), dockerfile);
        const argv = [
          '--context',
          context,
          '--dockerfile',
          join(work, 'Dockerfile'),
          '--no-push',
          '--oci-layout-path',
          layout,
          '--cache-dir',
          join(scratch, 'cache'),
          '--progress',
          'plain',
          ...more,
        ];
        const timed = [
          'python3',
          '-c',
          'import resource,subprocess,sys\nc=subprocess.call(sys.argv[1:])\nu=resource.getrusage(resource.RUSAGE_CHILDREN)\nprint("peak", u.ru_maxrss//1024)\nprint("cpu", u.ru_utime+u.ru_stime)\nsys.exit(c)',
          process.execPath,
          TSBUILD,
          ...argv,
        ];
        const outcome = await execute(user === null ? timed : asUser(user, timed));
        const told = (name: string): number => Number(new RegExp(`^${name} ([\\d.]+)$`, 'm').exec(outcome.stdout)?.[1] ?? Number.NaN);
        return { ...outcome, layout, megabytes: told('peak'), cpuSeconds: told('cpu') };
      },
    };

    beforeAll(() => {
      scratch = scratchFolder('hostile', user ?? undefined);
    });
    afterAll(() => {
      execFileSync('rm', ['-rf', '--', scratch]);
    });

    describe('names are bytes', () => {
      test.each([
        ['COPY of everything', 'COPY . /x/'],
        ['ADD of everything', 'ADD . /x/'],
        ['COPY --link', 'COPY --link . /x/'],
        ['COPY --parents', 'COPY --parents . /x/'],
        ['COPY between stages', 'COPY . /y/\nFROM scratch\nCOPY --from=0 /y/ /x/'],
      ])('%s', async (_, copy) => {
        const context = namesContext(run);
        const { code, log, layout } = await run.build(context, `FROM scratch\n${copy}\n`);
        expect(code, log).toBe(0);
        const image = join(unpacked(layout, join(run.folder('out'), 'tree')), 'x');
        expect(treeOf(image)).toEqual(treeOf(context));
        expect(lstatSync(at(image, 'hard\xff')).ino).toBe(lstatSync(at(image, 'Case')).ino);
      });

      test('by wildcards, which take whole characters, and no symlink out of the context', async () => {
        const context = namesContext(run);
        rmSync(join(context, 'out'));
        for (const link of ['loop1', 'loop2', 'dangling']) rmSync(join(context, link));
        const { code, log, layout } = await run.build(
          context,
          'FROM scratch\nCOPY ? /one/\nCOPY *\\\\* /back/\nCOPY -* /dash/\nCOPY [c-d]* /d/\n',
        );
        expect(code, log).toBe(0);
        expect(readdirSync(bytes(join(unpacked(layout, join(run.folder('out'), 'tree')), 'd')), { encoding: 'latin1' }).sort()).toEqual([
          'case',
          'in\xfe',
        ]);
      });

      test('in .dockerignore', async () => {
        const context = namesContext(run);
        writeFileSync(join(context, '.dockerignore'), bytes('*\n!\xff\xfe\n!dir\xff*/in?\n!\\\\\\\\\n!a?b\n'));
        const { code, log, layout } = await run.build(context, 'FROM scratch\nCOPY . /x/\n');
        expect(code, log).toBe(0);
        const left = treeOf(join(unpacked(layout, join(run.folder('out'), 'tree')), 'x')).map((line) => line.split(' ')[0]);
        expect(left).toContain('\xff\xfe');
        expect(left).not.toContain('Case');
        expect(left.filter((name) => name?.startsWith('a'))).toEqual(['a\tb', 'a\nb', 'a\rb', 'a\\b']);
      });
    });

    test('a symlink out of the context leads nowhere, whichever way it is taken', async () => {
      const context = namesContext(run);
      for (const source of ['out/passwd', 'out', 'out/*']) {
        const { code, log } = await run.build(context, `FROM scratch\nCOPY ${source} /x/\n`);
        // A wildcard below a folder that is not there matches nothing, which is a warning.
        expect(code, log).toBe(source.includes('*') ? 0 : 1);
        expect(log).toContain('out');
        expect(log).not.toContain('this is a bug');
      }
    });

    test.each([
      ['a loop of symlinks', 'loop1', 'too many symbolic links'],
      ['a dangling symlink', 'dangling', 'symbolic link to "/nowhere/\ufffd"'],
      ['a name that is not there', 'n\x1bx', 'is not in'],
      ['a path of many parts', 'a/'.repeat(30_000), 'is not in'],
    ])('%s is refused by name', async (_, source, message) => {
      const { code, log } = await run.build(namesContext(run), `FROM scratch\nCOPY ["${source.replace('\x1b', '\\u001b')}", "/x/"]\n`);
      expect(code, log).toBe(1);
      expect(log).toContain(message);
      expect(log).not.toContain('\x1b');
      expect(log.length).toBeLessThan(5000);
    });

    test('what would remove files of the layers below is refused by name', async () => {
      const context = run.folder('wh');
      mkdirSync(join(context, 'sub'));
      write(context, 'sub/.wh.x\ny', '');
      giveTo(user, context);
      const { code, log } = await run.build(context, 'FROM scratch\nCOPY . /\n');
      expect(code, log).toBe(1);
      expect(log).toContain('"sub/.wh.x\\ny" cannot be put into an image');
      const left = await run.build(context, 'FROM scratch\nCOPY --exclude=**/.wh.* . /\n');
      expect(left.code, left.log).toBe(0);
    });

    test('a tree as deep as a path can be is copied, wherever the context is', async () => {
      const context = run.folder(`deep-${'p'.repeat(200)}`);
      nested(context, 'd', 2030);
      giveTo(user, context);
      const { code, log, layout } = await run.build(context, 'FROM scratch\nCOPY . /\n');
      expect(code, log).toBe(0);
      const list = execFileSync('sh', ['-c', `gzip -dc ${layout}/blobs/sha256/* 2>/dev/null | tar --list | tail -n 1`], {
        encoding: 'latin1',
      });
      expect(list.trim()).toBe(`${'d/'.repeat(2030)}leaf`);
    });

    test('a deeper one is refused by its name, and can be left out', async () => {
      const context = run.folder('deeper');
      nested(context, 'd', 2300);
      mkdirSync(join(context, 'other'));
      giveTo(user, context);
      const { code, log } = await run.build(context, 'FROM scratch\nCOPY . /\n');
      expect(code, log).toBe(1);
      expect(log).toMatch(/cannot read "(?:d\/)+d?\.\.\.[d/]+": it is too deep/);
      expect(log.length).toBeLessThan(5000);
      writeFileSync(join(context, '.dockerignore'), 'd\n');
      const left = await run.build(context, 'FROM scratch\nCOPY . /\n');
      expect(left.code, left.log).toBe(0);
    });

    test.each(['COPY . /', 'COPY dir/* /x/', 'COPY --exclude=*9 . /'])(
      '100,000 files of one folder take little time and memory: %s',
      async (copy) => {
        const context = run.folder('many');
        execFileSync('python3', [
          '-c',
          'import os,sys\nos.mkdir(sys.argv[1]+"/dir")\nfor i in range(100000): os.close(os.open(sys.argv[1]+"/dir/file%06d"%i, os.O_CREAT|os.O_WRONLY, 0o644))',
          context,
        ]);
        giveTo(user, context);
        const { code, log, megabytes, cpuSeconds } = await run.build(context, `FROM scratch\n${copy}\n`);
        expect(code, log).toBe(0);
        expect(megabytes).toBeLessThan(MOST_MEGABYTES);
        // It takes two to four.
        expect(cpuSeconds).toBeLessThan(30);
      },
    );

    test('a context keeps sparse and setuid files, leaves sockets out, and warns of fifos', async () => {
      const context = run.folder('special');
      write(context, 'suid', 'x');
      writeFileSync(join(context, 'sparse'), '');
      truncateSync(join(context, 'sparse'), 40 * 2 ** 20);
      execFileSync('python3', [
        '-c',
        'import os,socket,sys\nos.chdir(sys.argv[1])\nos.mkfifo("fifo")\nsocket.socket(socket.AF_UNIX).bind("sock")',
        context,
      ]);
      giveTo(user, context);
      chmodSync(join(context, 'suid'), 0o6755);
      const { code, log, layout, megabytes } = await run.build(context, 'FROM scratch\nCOPY . /\n');
      expect(code, log).toBe(0);
      expect(log).toContain('"fifo" of');
      expect(megabytes).toBeLessThan(200);
      const image = unpacked(layout, join(run.folder('out'), 'tree'));
      expect(readdirSync(image).sort()).toEqual(['sparse', 'suid']);
      expect(lstatSync(join(image, 'suid')).mode & 0o7777).toBe(0o6755);
      expect(lstatSync(join(image, 'sparse')).size).toBe(40 * 2 ** 20);
      for (const source of ['fifo', 'sock'])
        expect((await run.build(context, `FROM scratch\nCOPY ${source} /x\n`)).log).toContain(`"${source}"`);
    });

    // A user's own files of mode 000 are read: in the namespace of its build it is root over what is its own.
    test.skipIf(user === null)('what is root’s and closed is refused by name, and can be left out', async () => {
      const context = run.folder('closed');
      write(context, 'open', 'x');
      write(context, 'secret\n', 'x');
      mkdirSync(join(context, 'closed'));
      chmodSync(context, 0o755);
      chmodSync(at(context, 'secret\n'), 0o600);
      chmodSync(join(context, 'closed'), 0o700);
      const file = await run.build(context, 'FROM scratch\nCOPY secret* /x/\n');
      expect(file.code, file.log).toBe(1);
      expect(file.log).toContain('cannot read "secret\\n": EACCES');
      const folder = await run.build(context, 'FROM scratch\nCOPY closed /x/\n');
      expect(folder.code, folder.log).toBe(1);
      expect(folder.log).toContain('cannot read "closed": EACCES');
      writeFileSync(join(context, '.dockerignore'), 'secret*\nclosed\n');
      const left = await run.build(context, 'FROM scratch\nCOPY . /x/\n');
      expect(left.code, left.log).toBe(0);
    });
  });
}

describeUnless(missing(['root', 'docker-registry']) ?? baseMissing('busybox'), 'a bind mount of the context', () => {
  let registry: DockerRegistry;
  let scratch = '';
  beforeAll(async () => {
    registry = await startDockerRegistry();
    await pushBase(registry.host, 'busybox');
    scratch = scratchFolder('hostile-bind');
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  test('shows the names as they are', async () => {
    const context = join(scratch, 'context');
    mkdirSync(context);
    for (const name of NAMES) write(context, name, 'x');
    writeFileSync(join(context, '.dockerignore'), 'case\n');
    const layout = join(scratch, 'layout');
    writeFileSync(
      join(scratch, 'Dockerfile'),
      `FROM ${registry.host}/library/busybox\nRUN --mount=target=/c cp -a /c /copy && ls -a /copy > /list\n`,
    );
    const { code, log } = await execute([
      process.execPath,
      TSBUILD,
      '--context',
      context,
      '--dockerfile',
      join(scratch, 'Dockerfile'),
      '--no-push',
      '--oci-layout-path',
      layout,
      '--cache-dir',
      join(scratch, 'cache'),
      '--insecure-registry',
      registry.host,
    ]);
    expect(code, log).toBe(0);
    const image = unpacked(layout, join(scratch, 'tree'));
    const wanted = [...NAMES.filter((name) => name !== 'case'), '.dockerignore'].sort();
    expect(existsSync(join(image, 'copy'))).toBe(true);
    expect(readdirSync(bytes(join(image, 'copy')), { encoding: 'latin1' }).sort()).toEqual(wanted);
  });
});
