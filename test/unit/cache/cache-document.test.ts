import { describe, expect, test } from 'vitest';
import { decodeDocument, encodeDocument, withInlineCache } from '../../../src/cache/cache-document.ts';
import { decodeEntry, encodeEntry } from '../../../src/cache/cache-entry.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { parseImageConfig } from '../../../src/image/image-config.ts';
import { CACHE_FIELD } from '../../../src/image/inline-cache.ts';
import { parseManifest } from '../../../src/image/manifest.ts';
import { madeStep, newKey, type TestStep } from '../../contract/step-cache-contract.ts';
import { testImage } from '../../helpers/test-image.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('a document of steps', () => {
  test('has all of them, whatever their order, and each layer once', async () => {
    const [a, b] = [await madeStep({}), await madeStep({ kind: 'copy' })];
    const again: TestStep = { ...a, key: newKey() };
    const { manifest, config } = encodeDocument([a, b, again]);
    expect(encodeDocument([again, b, a])).toEqual({ manifest, config });
    const parsed = parseManifest(manifest.bytes, null);
    if (parsed.kind !== 'image') throw new Error('an index');
    expect(parsed.layers).toHaveLength(2);
    const steps = decodeDocument(parseImageConfig(config.bytes, 2), parsed.layers);
    expect(new Map([...steps].map(([key, step]) => [key, step.diffId]))).toEqual(
      new Map([a, b, again].map(({ key, layer }) => [key, layer.diffId])),
    );
    expect(steps.get(b.key)).toEqual({
      kind: 'copy',
      created: b.created,
      below: b.below,
      diffId: b.layer.diffId,
      descriptor: b.layer.descriptor,
    });
  });

  test('says nothing of what the keys were made of', async () => {
    const step = await madeStep({});
    const { manifest, config } = encodeDocument([step]);
    const entry = encodeEntry(step, new Date());
    for (const { bytes } of [manifest, config, entry.manifest, entry.config]) {
      expect(text(bytes)).not.toContain(Object.values(step.parts)[0]);
      expect(text(bytes)).not.toContain('command');
    }
  });

  test('inside an image lists only steps whose layers it has', async () => {
    const [own, other] = [await madeStep({}), await madeStep({ serves: 'other' })];
    const image = testImage([(await madeStep({})).layer, own.layer]);
    const config = withInlineCache(image.config, [other, own]);
    expect(config).toMatchObject(image.config);
    const layers = image.layers.map(({ descriptor }) => descriptor);
    expect([...decodeDocument(config, layers)]).toEqual([
      [own.key, { kind: 'run', created: own.created, below: own.below, diffId: own.layer.diffId, descriptor: own.layer.descriptor }],
    ]);
  });

  test('is empty where an image has none', () => {
    expect(decodeDocument(testImage([]).config, [])).toEqual(new Map());
  });

  const good = { key: digestOf('k'), kind: 'run', created: '2026-01-01T00:00:00Z', below: digestOf('below'), layer: 0 };
  test.each([
    ['no list', { steps: {} }],
    ['no object', 'steps'],
    ['a step that is none', { steps: ['x'] }],
    ['a key that is a path', { steps: [{ ...good, key: '../../etc/passwd' }] }],
    ['a key of another kind of digest', { steps: [{ ...good, key: `sha512:${'a'.repeat(128)}` }] }],
    ['a kind that nobody has', { steps: [{ ...good, kind: 'shell' }] }],
    ['a date that is none', { steps: [{ ...good, created: '2026-01-01\u001b[2J' }] }],
    ['a date of no calendar', { steps: [{ ...good, created: '2026-13-41T00:00:00Z' }] }],
    ['a layer that is not there', { steps: [{ ...good, layer: 7 }] }],
    ['a negative layer', { steps: [{ ...good, layer: -1 }] }],
    ['a fraction of a layer', { steps: [{ ...good, layer: 0.5 }] }],
    ['a layer by the name of a method', { steps: [{ ...good, layer: 'length' }] }],
  ])('with %s is refused', async (_, field) => {
    const image = testImage([(await madeStep({})).layer]);
    const layers = image.layers.map(({ descriptor }) => descriptor);
    expect(decodeDocument({ ...image.config, [CACHE_FIELD]: { steps: [good] } }, layers).size).toBe(1);
    expect(() => decodeDocument({ ...image.config, [CACHE_FIELD]: field }, layers)).toThrow(
      expect.objectContaining({ code: 'IMAGE_INVALID' }) as Error,
    );
  });

  test.each([
    ['a media type that is no layer', { mediaType: 'application/octet-stream' }],
    ['a layer that is fetched from elsewhere', { urls: ['http://169.254.169.254/'] }],
    ['a foreign layer', { mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' }],
  ])('with %s is refused', async (_, change) => {
    const image = testImage([(await madeStep({})).layer]);
    const layers = image.layers.map(({ descriptor }) => ({ ...descriptor, ...change }));
    expect(() => decodeDocument({ ...image.config, [CACHE_FIELD]: { steps: [good] } }, layers)).toThrow('which no step makes');
  });

  test('with a diff id that is none is refused', async () => {
    const image = testImage([(await madeStep({})).layer]);
    const config = { ...image.config, rootfs: { type: 'layers' as const, diff_ids: ['sha256:short'] }, [CACHE_FIELD]: { steps: [good] } };
    expect(() =>
      decodeDocument(
        config,
        image.layers.map(({ descriptor }) => descriptor),
      ),
    ).toThrow('the diff id of a layer is not a digest');
  });
});

describe('an entry of one step', () => {
  const changed = async (change: (manifest: Record<string, unknown> & { annotations: Record<string, string> }) => void) => {
    const step = await madeStep({});
    const manifest = JSON.parse(text(encodeEntry(step, new Date()).manifest.bytes)) as Parameters<typeof change>[0];
    change(manifest);
    return () => decodeEntry(Buffer.from(JSON.stringify(manifest)), null, step.key);
  };

  test('is read back', async () => {
    expect((await changed(() => undefined))()).toMatchObject({ kind: 'run', created: '2026-03-04T05:06:07.890Z' });
  });

  test.each<[string, (manifest: Record<string, unknown> & { annotations: Record<string, string> }) => void]>([
    ['without annotations', (m) => Object.assign(m, { annotations: undefined })],
    ['of another key', (m) => Object.assign(m.annotations, { 'tsbuild.cache.key': digestOf('other') })],
    ['with a diff id that is a path', (m) => Object.assign(m.annotations, { 'tsbuild.cache.diff-id': 'sha256:../../x' })],
    ['with a date that is none', (m) => Object.assign(m.annotations, { 'tsbuild.cache.kept': 'yesterday' })],
    ['with two layers', (m) => Object.assign(m, { layers: [...(m['layers'] as unknown[]), ...(m['layers'] as unknown[])] })],
    ['without a layer', (m) => Object.assign(m, { layers: [] })],
    ['that is an index', (m) => Object.assign(m, { manifests: [], layers: undefined, config: undefined, mediaType: undefined })],
  ])('%s is refused', async (_, change) => {
    expect(await changed(change)).toThrow(expect.objectContaining({ code: 'IMAGE_INVALID' }) as Error);
  });
});
