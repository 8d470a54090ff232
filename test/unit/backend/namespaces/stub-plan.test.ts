import { describe, expect, test } from 'vitest';
import { planStubs } from '../../../../src/backend/namespaces/stub-plan.ts';
import type { FileMeta } from '../../../../src/layer/entry.ts';
import type { LayerIndex } from '../../../../src/layer/layer-index.ts';
import { stackTree } from '../../../../src/layer/stack-tree.ts';
import type { TreeEntry } from '../../../../src/layer/tree.ts';

const meta = (mode: number, uid = 0): FileMeta => ({ mode, uid, gid: uid, mtimeNs: 5n });

/** `d` with its mode in octal, `->` a symlink, `f` a file. */
function layer(files: Readonly<Record<string, string>>, implied: readonly string[] = []): LayerIndex {
  const puts = new Map<string, TreeEntry>();
  for (const [path, what] of Object.entries(files)) {
    if (what.startsWith('->')) puts.set(path, { meta: meta(0o777), node: { type: 'symlink', target: what.slice(2) } });
    else if (what.startsWith('d')) puts.set(path, { meta: meta(Number.parseInt(what.slice(1), 8), 7), node: { type: 'dir' } });
    else puts.set(path, { meta: meta(0o644), node: { type: 'file', size: 0, content: { at: 'memory', bytes: new Uint8Array() } } });
  }
  return { puts, removes: new Set(), opaques: new Set(), implied: new Set(implied) };
}

function plan(layers: readonly LayerIndex[], ...mounts: string[]): string[] {
  const points = mounts.map((text) => ({
    target: text.replace(/\?$/, ''),
    type: text.endsWith('?') ? ('file' as const) : ('dir' as const),
  }));
  const stubs = planStubs(stackTree(layers), layers, points);
  return [...stubs].map(([path, stub]) => `${stub.origin} ${stub.type} ${stub.meta.mode.toString(8)} ${stub.meta.uid} ${path}`);
}

describe('mount points', () => {
  test('that exist need nothing', () => {
    expect(plan([layer({ proc: 'd555', etc: 'd755', 'etc/hosts': 'f' })], '/proc', '/etc/hosts?')).toEqual([]);
  });

  test('that are missing are stubs below copies of the folders that exist', () => {
    expect(plan([layer({ run: 'd1711' })], '/run/secrets/deep/token?')).toEqual([
      'copy dir 1711 7 run',
      'stub dir 755 0 run/secrets',
      'stub dir 755 0 run/secrets/deep',
      'stub file 644 0 run/secrets/deep/token',
    ]);
  });

  test('are parents before children, also where names sort between', () => {
    expect(plan([], '/a/b', '/a-b')).toEqual(['stub dir 755 0 a', 'stub dir 755 0 a-b', 'stub dir 755 0 a/b']);
  });

  test('behind symlinks are made where these lead, inside the tree', () => {
    const files = layer({ etc: 'd755', 'etc/resolv.conf': '->../../../run/resolve/x', var: 'd755', 'var/run': '->/run', run: 'd755' });
    expect(plan([files], '/etc/resolv.conf?', '/var/run/y')).toEqual([
      'copy dir 755 7 run',
      'stub dir 755 0 run/resolve',
      'stub file 644 0 run/resolve/x',
      'stub dir 755 0 run/y',
    ]);
  });

  test('inside an earlier mount are left to it', () => {
    expect(plan([], '/cache', '/cache/a/b')).toEqual(['stub dir 755 0 cache']);
    expect(plan([layer({ link: '->cache' })], '/cache', '/link/a')).toEqual(['stub dir 755 0 cache']);
  });

  test('through a loop of symlinks are refused', () => {
    expect(() => plan([layer({ a: '->b', b: '->a' })], '/a/x')).toThrow('too many symlinks');
  });

  test('beyond a folder that does not exist are refused, as the kernel does', () => {
    const files = layer({ dev: '->missing/../tmp', tmp: 'd1777', var: 'd755', link: '->var/../tmp' });
    expect(() => plan([files], '/dev')).toThrow('no mount point can be made (/missing does not exist)');
    expect(plan([files], '/link')).toEqual([]);
  });

  test('below a file are refused, as are those of the wrong kind', () => {
    const files = layer({ file: 'f', folder: 'd755' });
    expect(() => plan([files], '/file/x')).toThrow('/file is not a folder');
    expect(() => plan([files], '/file')).toThrow('the image has a file there');
    expect(() => plan([files], '/folder?')).toThrow('the image has a folder there');
  });
});

describe('folders that the topmost layer only implies', () => {
  const base = layer({ tmp: 'd1777', opt: 'd755' });

  test('get the metadata that the tree knows', () => {
    expect(plan([base, layer({ 'tmp/x': 'f' }, ['tmp'])])).toEqual(['copy dir 1777 7 tmp']);
  });

  test('need nothing when a higher layer puts them', () => {
    expect(plan([base, layer({ 'tmp/x': 'f' }, ['tmp']), layer({ tmp: 'd700' })])).toEqual([]);
  });

  test('need nothing when they are what unpacking makes of them', () => {
    expect(plan([layer({ 'new/x': 'f' }, ['new'])])).toEqual([]);
  });
});
