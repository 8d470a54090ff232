import { expect, test } from 'vitest';
import { assembleImage, assemblePublication } from '../../../src/image/assemble.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { registrySink } from '../../../src/output/registry-sink.ts';
import type { RegistryClient } from '../../../src/registry/registry-client.ts';
import { testImage, testLayer } from '../../helpers/test-image.ts';

const never = new AbortController().signal;

/** Remembers what is pushed; `blocked` blobs wait for ever, until they are aborted. */
function recordingClient(blocked: readonly string[] = [], failing: readonly string[] = []) {
  const log: string[] = [];
  const client: Pick<RegistryClient, 'checkPush' | 'pushBlob' | 'pushManifest'> = {
    checkPush: (to) => Promise.resolve(void log.push(`check ${to.registry}/${to.repository}`)),
    pushBlob(_to, blob, signal) {
      const { digest } = blob.descriptor;
      log.push(`blob ${digest}`);
      if (failing.includes(digest)) return Promise.reject(new Error('refused'));
      if (!blocked.includes(digest)) return Promise.resolve();
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          log.push(`aborted ${digest}`);
          reject(signal.reason as Error);
        }),
      );
    },
    pushManifest: (to, manifest, tag) => Promise.resolve(void log.push(`manifest ${to.repository}:${tag} ${manifest.descriptor.digest}`)),
  };
  return { log, client: client as RegistryClient };
}

test('the manifest comes last, after layers and config', async () => {
  const { log, client } = recordingClient();
  const image = testImage([await testLayer(), await testLayer()]);
  const { manifest, config } = assembleImage(image);
  const published = await registrySink({ client, destination: parseReference('reg.example/app') }).write([image], never);
  expect(published).toEqual({ where: 'reg.example/app:latest', digest: manifest.descriptor.digest });
  expect(log.slice(0, -1).sort()).toEqual(
    [...image.layers.map((l) => l.descriptor.digest), config.descriptor.digest].map((d) => `blob ${d}`).sort(),
  );
  expect(log.at(-1)).toBe(`manifest app:latest ${manifest.descriptor.digest}`);
});

test('an offered layer goes at once, and only once', async () => {
  const { log, client } = recordingClient();
  const layer = await testLayer();
  const sink = registrySink({ client, destination: parseReference('reg.example/app:1') });
  sink.offer(layer, never);
  expect(log).toEqual([`blob ${layer.descriptor.digest}`]);
  sink.offer(layer, never);
  await sink.write([testImage([layer])], never);
  expect(log.filter((l) => l === `blob ${layer.descriptor.digest}`)).toHaveLength(1);
});

test('the failure of an offered layer surfaces in write, before the manifest', async () => {
  const layer = await testLayer();
  const { log, client } = recordingClient([], [layer.descriptor.digest]);
  const sink = registrySink({ client, destination: parseReference('reg.example/app:1') });
  sink.offer(layer, never);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await expect(sink.write([testImage([layer])], never)).rejects.toThrow('refused');
  expect(log.some((l) => l.startsWith('manifest'))).toBe(false);
});

test('offered layers that the image does not have are given up and do not fail it', async () => {
  const [wanted, unwanted, refused] = [await testLayer(), await testLayer(), await testLayer()];
  const { log, client } = recordingClient([unwanted.descriptor.digest], [refused.descriptor.digest]);
  const sink = registrySink({ client, destination: parseReference('reg.example/app:1') });
  for (const layer of [wanted, unwanted, refused]) sink.offer(layer, never);
  await sink.write([testImage([wanted])], never);
  expect(log).toContain(`aborted ${unwanted.descriptor.digest}`);
});

test('foreign layers are named but not pushed', async () => {
  const { log, client } = recordingClient();
  const layer = await testLayer();
  const foreign = {
    ...layer,
    descriptor: { ...layer.descriptor, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', urls: ['https://x/y'] },
  };
  const sink = registrySink({ client, destination: parseReference('reg.example/app:1') });
  sink.offer(foreign, never);
  await sink.write([testImage([foreign])], never);
  expect(log).not.toContain(`blob ${layer.descriptor.digest}`);
});

test('the check asks for the right to push', async () => {
  const { log, client } = recordingClient();
  await registrySink({ client, destination: parseReference('app') }).check(never);
  expect(log).toEqual(['check docker.io/library/app']);
});

test('when one blob fails, the others are stopped and waited for', async () => {
  const [stuck, refused] = [await testLayer(), await testLayer()];
  const { log, client } = recordingClient([stuck.descriptor.digest], [refused.descriptor.digest]);
  const sink = registrySink({ client, destination: parseReference('reg.example/app:1') });
  await expect(sink.write([testImage([stuck, refused])], never)).rejects.toThrow('refused');
  expect(log.at(-1)).toBe(`aborted ${stuck.descriptor.digest}`);
});

test('of several images the manifests come by digest, then the index by its tag', async () => {
  const { log, client } = recordingClient();
  const shared = await testLayer();
  const images = [testImage([shared]), testImage([shared, await testLayer()], { config: { architecture: 'arm64' } })] as const;
  const { images: assembled, index } = assemblePublication(images);
  const published = await registrySink({ client, destination: parseReference('reg.example/app:1') }).write(images, never);
  expect(published.digest).toBe(index?.descriptor.digest);
  const blobs = log.filter((line) => line.startsWith('blob'));
  expect([blobs.length, new Set(blobs).size]).toEqual([4, 4]);
  expect(log.slice(4)).toEqual([
    ...assembled.map(({ manifest }) => `manifest app:null ${manifest.descriptor.digest}`),
    `manifest app:1 ${published.digest}`,
  ]);
});
