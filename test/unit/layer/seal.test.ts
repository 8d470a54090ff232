import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { BlobSink } from '../../../src/blob/blob.ts';
import type { Digest } from '../../../src/image/digest.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { Descriptor } from '../../../src/image/image.ts';
import { createIndexBuilder } from '../../../src/layer/build-index.ts';
import type { LayerEntries, LayerEntry } from '../../../src/layer/entry.ts';
import { readLayer } from '../../../src/layer/read-layer.ts';
import { type SealOptions, sealLayer } from '../../../src/layer/seal.ts';
import { createTarReader } from '../../../src/layer/tar/read.ts';
import type { TarTap } from '../../../src/layer/tar-tap.ts';
import { readAll } from './read-all.ts';

const { signal } = new AbortController();
const options: SealOptions = { sinks: [], format: 'oci', compression: 'gzip', level: undefined, taps: [], mtime: 'seconds', signal };

interface RecordingSink extends BlobSink {
  readonly log: string[];
  bytes(): Buffer;
  committed(): Descriptor | undefined;
}

function sink(behaviour: { delayMs?: number; failAt?: 'begin' | 'write' | 'commit' } = {}): RecordingSink {
  const log: string[] = [];
  const parts: Buffer[] = [];
  let descriptor: Descriptor | undefined;
  const act = async (what: 'begin' | 'write' | 'commit'): Promise<void> => {
    log.push(what);
    if (behaviour.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, behaviour.delayMs));
    if (behaviour.failAt === what) throw new Error(`no ${what}`);
  };
  return {
    log,
    bytes: () => Buffer.concat(parts),
    committed: () => descriptor,
    async begin() {
      await act('begin');
      return {
        async write(chunk) {
          await act('write');
          parts.push(Buffer.from(chunk));
        },
        async commit(given) {
          await act('commit');
          descriptor = given;
        },
        abort() {
          log.push('abort');
          return Promise.resolve();
        },
      };
    },
  };
}

function tap(): TarTap & { readonly log: string[]; bytes(): Buffer } {
  const log: string[] = [];
  const parts: Buffer[] = [];
  return {
    log,
    bytes: () => Buffer.concat(parts),
    write: (chunk) => void parts.push(chunk),
    end: () => void log.push('end'),
    abort: () => void log.push('abort'),
  };
}

function* entries(count = 3, size = 1000): Generator<LayerEntry> {
  for (let i = 0; i < count; i++) {
    const bytes = createHash('shake256', { outputLength: size }).update(String(i)).digest();
    yield {
      kind: 'put',
      path: `f${i}`,
      meta: { mode: 0o644, uid: 0, gid: 0, mtimeNs: 5n },
      node: { type: 'file', size, content: { at: 'memory', bytes } },
    };
  }
}

test('digests, size and entries are those of the bytes that every sink and tap got', async () => {
  const [a, b, seen] = [sink(), sink(), tap()];
  const sealed = await sealLayer(entries(), { ...options, sinks: [a, b], taps: [seen] });
  expect(sealed.descriptor).toEqual({
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(a.bytes()),
    size: a.bytes().length,
  });
  expect(b.bytes().equals(a.bytes())).toBe(true);
  expect(a.committed()).toEqual(sealed.descriptor);
  expect(sealed.entries).toBe(3);
  const plain = gunzipSync(a.bytes());
  expect(sealed.diffId).toBe(digestOf(plain));
  expect(seen.bytes().equals(plain)).toBe(true);
  expect(seen.log).toEqual(['end']);
  expect(readAll(plain).map(({ name }) => name)).toEqual(['f0', 'f1', 'f2']);
});

test('the same entries give the same digests, at whatever pace they come', async () => {
  const slowly = (async function* (): AsyncGenerator<LayerEntry> {
    for (const entry of entries(20, 100_000)) {
      await new Promise((resolve) => setImmediate(resolve));
      yield entry;
    }
  })();
  expect(await sealLayer(slowly, options)).toEqual(await sealLayer(entries(20, 100_000), options));
});

test('the digests of one layer are what they always were', async () => {
  const meta = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 1_600_000_000_000_000_000n };
  const fixed: LayerEntry[] = [
    { kind: 'put', path: 'etc', meta, node: { type: 'dir' } },
    {
      kind: 'put',
      path: 'etc/motd',
      meta: { ...meta, mode: 0o644, uid: 3_000_000 },
      node: { type: 'file', size: 6, content: { at: 'memory', bytes: Buffer.from('hello\n') } },
    },
    { kind: 'remove', path: 'etc/issue' },
  ];
  expect((await sealLayer(fixed, options)).diffId).toBe(PINNED_DIFF_ID);
});

const PINNED_DIFF_ID = 'sha256:0e960e40c84d24cf9c00c44f8b1a74464850412a8be9c8370c42b36a8d33ab6b';

test('an empty layer is an empty tar, with no entries', async () => {
  const out = sink();
  const sealed = await sealLayer([], { ...options, sinks: [out] });
  expect(sealed.entries).toBe(0);
  expect(gunzipSync(out.bytes())).toEqual(Buffer.alloc(1024));
  expect(sealed.diffId).toBe('sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef');
});

test.each([
  ['oci', 'none', 'application/vnd.oci.image.layer.v1.tar'],
  ['docker', 'gzip', 'application/vnd.docker.image.rootfs.diff.tar.gzip'],
] as const)('an %s layer with compression %s is of type %s', async (format, compression, mediaType) => {
  expect((await sealLayer(entries(), { ...options, format, compression })).descriptor.mediaType).toBe(mediaType);
});

test('a sink that is not ready stops the reading of files, so memory does not grow with the layer', async () => {
  const bytes = Buffer.alloc(1024 * 1024, 'x');
  let asked = 0;
  const counted = (function* (): Generator<LayerEntry> {
    for (; asked < 60; asked++) {
      yield {
        kind: 'put',
        path: `f${asked}`,
        meta: { mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n },
        node: { type: 'file', size: bytes.length, content: { at: 'memory', bytes } },
      };
    }
  })();
  let ready = (): void => undefined;
  const gate = new Promise<void>((resolve) => (ready = resolve));
  const stuck: BlobSink = {
    begin: () => Promise.resolve({ write: () => gate, commit: () => Promise.resolve(), abort: () => Promise.resolve() }),
  };
  const sealing = sealLayer(counted, { ...options, level: 1, sinks: [stuck, sink()] });
  // Long enough for all 60 files, were nobody to hold them back.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(asked).toBeLessThan(45);
  ready();
  expect((await sealing).entries).toBe(60);
});

test.each(['begin', 'write', 'commit'] as const)('when one sink fails at %s, every other upload and tap is told', async (failAt) => {
  const [good, bad, seen] = [sink(), sink({ failAt }), tap()];
  await expect(sealLayer(entries(), { ...options, sinks: [good, bad], taps: [seen] })).rejects.toThrow(`no ${failAt}`);
  expect(good.log.filter((what) => what === 'abort' || what === 'commit')).toHaveLength(1);
  expect(good.log.at(-1)).toBe(failAt === 'commit' ? 'commit' : 'abort');
  if (failAt !== 'begin') expect(bad.log.filter((what) => what === 'abort' || what === 'commit')).toHaveLength(1);
  expect(seen.log.at(-1)).toBe('abort');
});

test('a tap that throws fails the layer and nothing is committed', async () => {
  const out = sink();
  const bad: TarTap = {
    write() {
      throw new Error('the tap is full');
    },
    end: () => undefined,
    abort: () => undefined,
  };
  await expect(sealLayer(entries(), { ...options, sinks: [out], taps: [bad] })).rejects.toThrow('the tap is full');
  expect(out.log).toEqual(expect.arrayContaining(['abort']));
  expect(out.log).not.toContain('commit');
});

test('an abort while sealing aborts uploads and taps', async () => {
  const controller = new AbortController();
  const [out, seen] = [sink({ delayMs: 5 }), tap()];
  const endless: LayerEntries = (function* (): Generator<LayerEntry> {
    for (;;) yield* entries(3, 300_000);
  })();
  setTimeout(() => controller.abort(new Error('stopped by the user')), 40);
  await expect(sealLayer(endless, { ...options, signal: controller.signal, sinks: [out], taps: [seen] })).rejects.toThrow(
    'stopped by the user',
  );
  expect(out.log.at(-1)).toBe('abort');
  expect(seen.log).toEqual(['abort']);
});

async function sealedBytes(): Promise<{ bytes: Buffer; diffId: Digest }> {
  const out = sink();
  const { diffId } = await sealLayer(entries(), { ...options, sinks: [out] });
  return { bytes: out.bytes(), diffId };
}

test('a sealed layer reads back through its index', async () => {
  const { bytes, diffId } = await sealedBytes();
  const index = createIndexBuilder((path) => ({ at: 'host', path }));
  const size = await readLayer(Readable.from([bytes]), {
    compression: 'gzip',
    expectedDiffId: diffId,
    taps: [createTarReader(index)],
    signal,
  });
  expect(size).toBe(gunzipSync(bytes).length);
  expect([...index.index().puts.keys()]).toEqual(['f0', 'f1', 'f2']);
});

test('a layer that is not what the image says is refused before any tap believes it', async () => {
  const { bytes } = await sealedBytes();
  const seen = tap();
  const wrong = digestOf('something else');
  await expect(
    readLayer(Readable.from([bytes]), { compression: 'gzip', expectedDiffId: wrong, taps: [seen], signal }),
  ).rejects.toMatchObject({
    code: 'BLOB_DIGEST_MISMATCH',
    message: expect.stringContaining(wrong),
  });
  expect(seen.log).toEqual(['abort']);
});

test('a truncated layer is an error, its taps are aborted and its stream is closed', async () => {
  const { bytes, diffId } = await sealedBytes();
  const [seen, source] = [tap(), Readable.from([bytes.subarray(0, bytes.length - 20)])];
  await expect(readLayer(source, { compression: 'gzip', expectedDiffId: diffId, taps: [seen], signal })).rejects.toMatchObject({
    code: 'LAYER_INVALID',
  });
  expect(seen.log).toEqual(['abort']);
  expect(source.destroyed).toBe(true);
});

test('a gzip of several members is one layer', async () => {
  const { bytes, diffId } = await sealedBytes();
  const plain = gunzipSync(bytes);
  const twice = Buffer.concat([gzipSync(plain.subarray(0, 1000)), gzipSync(plain.subarray(1000))]);
  expect(await readLayer(Readable.from([twice]), { compression: 'gzip', expectedDiffId: diffId, taps: [], signal })).toBe(plain.length);
});

test('sha256sum agrees with the diffId', async () => {
  const seen = tap();
  const { diffId } = await sealLayer(entries(), { ...options, taps: [seen] });
  const [hex] = execFileSync('sha256sum', { input: seen.bytes(), encoding: 'utf8' }).split(' ');
  expect(diffId).toBe(`sha256:${hex}`);
});
