import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StubPlan } from '../../../../src/backend/namespaces/stub-plan.ts';
import { readUpperChanges } from '../../../../src/backend/namespaces/upper-changes.ts';
import { DEVICE_MARK } from '../../../../src/layer/device-marks.ts';
import type { LayerEntry } from '../../../../src/layer/entry.ts';
import type { LayerIndex } from '../../../../src/layer/layer-index.ts';
import { stackTree } from '../../../../src/layer/stack-tree.ts';
import type { TreeEntry } from '../../../../src/layer/tree.ts';
import { setXattr } from '../../../../src/sys/xattr.ts';
import { lines } from '../../../contract/backend-fixture.ts';

const never = new AbortController().signal;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

let upper: string;
beforeEach(() => {
  upper = mkdtempSync(join(tmpdir(), 'tsbuild-upper-'));
});
afterEach(() => rmSync(upper, { recursive: true }));

/** What lay below: folders end with `/`; all 0755 and of the user who runs the test. */
function below(...paths: string[]): LayerIndex {
  const puts = new Map<string, TreeEntry>();
  for (const path of paths) {
    const node = path.endsWith('/')
      ? ({ type: 'dir' } as const)
      : ({ type: 'file', size: 0, content: { at: 'memory', bytes: new Uint8Array() } } as const);
    puts.set(path.replace(/\/$/, ''), { meta: { mode: 0o755, ...owner, mtimeNs: 0n }, node });
  }
  return { puts, removes: new Set(), opaques: new Set(), implied: new Set() };
}

const read = async (lower: LayerIndex, stubs: StubPlan = new Map()): Promise<readonly LayerEntry[]> =>
  (await readUpperChanges({ folder: upper, style: 'user', lower: stackTree([lower]), lowerFile: () => undefined, stubs }, never)).entries;

const shown = async (lower: LayerIndex, stubs?: StubPlan): Promise<string[]> =>
  lines(await read(lower, stubs)).map((line) => line.replace(` ${owner.uid}:${owner.gid}`, ''));

const folder = (path: string, ...xattrs: [string, string][]): void => {
  mkdirSync(join(upper, path));
  chmodSync(join(upper, path), 0o755);
  for (const [name, value] of xattrs) setXattr(join(upper, path), name, Buffer.from(value));
};
const file = (path: string, text = ''): void => {
  writeFileSync(join(upper, path), text);
  chmodSync(join(upper, path), 0o644);
};

describe('opaque folders', () => {
  test('hide what was below, and are put first', async () => {
    folder('d', ['user.overlay.opaque', 'y']);
    file('d/new');
    expect(await shown(below('d/', 'd/old'))).toEqual(['d 755 d', 'o d', 'f 644 d/new']);
  });

  test('are plain new folders where nothing was below', async () => {
    folder('d', ['user.overlay.opaque', 'y']);
    expect(await shown(below())).toEqual(['d 755 d']);
  });

  test('make folders inside them new, even those that equal hidden ones', async () => {
    folder('d', ['user.overlay.opaque', 'y']);
    folder('d/same');
    expect(await shown(below('d/', 'd/same/'))).toEqual(['d 755 d', 'o d', 'd 755 d/same']);
  });

  test('are not those that only mark whiteouts inside', async () => {
    folder('d', ['user.overlay.opaque', 'x']);
    file('d/gone');
    setXattr(join(upper, 'd/gone'), 'user.overlay.whiteout', Buffer.from('y'));
    expect(await shown(below('d/', 'd/gone'))).toEqual(['d 755 d', '- d/gone']);
  });
});

describe('whiteouts', () => {
  test('of what is not below are dropped', async () => {
    file('gone');
    setXattr(join(upper, 'gone'), 'user.overlay.whiteout', Buffer.from('y'));
    expect(await shown(below())).toEqual([]);
    expect(await shown(below('gone'))).toEqual(['- gone']);
  });

  test('stand for what a socket replaced', async () => {
    const server = createServer().listen(join(upper, 'socket'));
    await new Promise((resolve) => void server.once('listening', resolve));
    expect(await shown(below())).toEqual([]);
    expect(await shown(below('socket'))).toEqual(['- socket']);
    await new Promise((resolve) => void server.close(resolve));
  });
});

describe('xattrs', () => {
  test('are kept as bytes, without those of the overlay', async () => {
    file('f');
    setXattr(join(upper, 'f'), 'user.key', Buffer.from([0, 255]));
    setXattr(join(upper, 'f'), 'user.overlay.origin', Buffer.from('x'));
    const [entry] = await read(below());
    expect(entry?.kind === 'put' ? entry.meta.xattrs : undefined).toEqual(new Map([['user.key', Buffer.from([0, 255])]]));
  });

  test.skipIf(owner.uid !== 0)('keep file capabilities', async () => {
    file('f');
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    setXattr(join(upper, 'f'), 'security.capability', capability);
    const [entry] = await read(below());
    expect(
      entry?.kind === 'put' ? [...(entry.meta.xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value).toString('hex')]) : [],
    ).toEqual([['security.capability', capability.toString('hex')]]);
  });

  test('that mark a device are in no layer, where they mark none either', async () => {
    file('f');
    folder('d');
    for (const path of ['f', 'd']) setXattr(join(upper, path), DEVICE_MARK, Buffer.from('block:8:0:00'));
    const entries = await read(below());
    expect(lines(entries).length).toBe(2);
    for (const entry of entries) expect(entry.kind === 'put' ? entry.meta.xattrs : 'no file').toBeUndefined();
  });

  test('make a folder a changed one', async () => {
    folder('d');
    expect(await shown(below('d/'))).toEqual([]);
    setXattr(join(upper, 'd'), 'user.key', Buffer.from('v'));
    expect(await shown(below('d/'))).toEqual(['d 755 d']);
  });

  test.each(['redirect', 'metacopy'])('that make an overlay %s are refused, since a layer cannot say that', async (what) => {
    if (what === 'redirect') folder('d', ['user.overlay.redirect', '/x']);
    else {
      file('d');
      setXattr(join(upper, 'd'), 'user.overlay.metacopy', Buffer.from(''));
    }
    await expect(read(below())).rejects.toMatchObject({ code: 'BACKEND_FAILED' });
  });
});

describe('stubs', () => {
  const stub = { type: 'dir', meta: { mode: 0o755, ...owner, mtimeNs: 0n }, origin: 'stub' } as const;

  test('without a change inside are removed from the folder', async () => {
    folder('run');
    folder('run/secrets');
    const stubs = new Map([['run/secrets', stub]]);
    expect(await shown(below('run/'), stubs)).toEqual([]);
    rmSync(join(upper, 'run'), { recursive: true });
    expect(await shown(below('run/'), stubs)).toEqual([]);
  });

  test('with a change inside or at them are part of it', async () => {
    folder('run');
    file('run/x');
    expect(await shown(below(), new Map([['run', stub]]))).toEqual(['d 755 run', 'f 644 run/x']);
    rmSync(join(upper, 'run/x'));
    chmodSync(join(upper, 'run'), 0o700);
    expect(await shown(below(), new Map([['run', stub]]))).toEqual(['d 700 run']);
  });
});

test('symlinks keep their target, also one that is not UTF-8', async () => {
  symlinkSync(Buffer.from([0x2f, 0xff]), join(upper, 'l'));
  expect(await shown(below())).toEqual(['l 777 l -> /\xff']);
});

test('a path that is too long for the kernel is named, with its length', async () => {
  // Inside, not on the host: made step by step.
  const name = 'n'.repeat(250);
  const script = `cd "$1"; for i in $(seq 20); do mkdir ${name}; cd -P ./${name} || exit 1; done`;
  expect(spawnSync('bash', ['-c', script, 'bash', upper]).status).toBe(0);
  try {
    const error = await read(below()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'BACKEND_FAILED', hint: expect.stringContaining('4095') });
    expect((error as Error).message).toMatch(/^the command left a path of \d{4} bytes, too long for a layer: "\/n{60}\.\.\."$/);
  } finally {
    // Node's rmSync cannot.
    expect(spawnSync('rm', ['-rf', '--', join(upper, name)]).status).toBe(0);
  }
});

test('an abort ends the reading', async () => {
  const lower = stackTree([]);
  const aborted = AbortSignal.abort(new Error('stop'));
  await expect(
    readUpperChanges({ folder: upper, style: 'user', lower, lowerFile: () => undefined, stubs: new Map() }, aborted),
  ).rejects.toThrow('stop');
});
