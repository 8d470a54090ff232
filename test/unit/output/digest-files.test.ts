import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assembleImage } from '../../../src/image/assemble.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { checkDigestFiles, writeDigestFiles } from '../../../src/output/digest-files.ts';
import { digestSink } from '../../../src/output/digest-sink.ts';
import { testImage, testLayer } from '../../helpers/test-image.ts';

const DIGEST = digestOf('x');
const none = { digestFile: null, imageNameWithDigestFile: null, imageNameTagWithDigestFile: null };
const destinations = [parseReference('reg.example:5000/a/b:v1'), parseReference('debian'), parseReference('me/app:2')];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('the files are written as Kaniko writes them, their folders made', async () => {
  const [digestFile, names, tags] = [join(folder, 'deep', 'digest'), join(folder, 'names'), join(folder, 'tags')];
  await writeDigestFiles({ digestFile, imageNameWithDigestFile: names, imageNameTagWithDigestFile: tags }, DIGEST, destinations);
  expect(readFileSync(digestFile, 'utf8')).toBe(DIGEST);
  expect(readFileSync(names, 'utf8')).toBe(
    `reg.example:5000/a/b@${DIGEST}\nindex.docker.io/library/debian@${DIGEST}\nindex.docker.io/me/app@${DIGEST}\n`,
  );
  expect(readFileSync(tags, 'utf8')).toBe(
    `reg.example:5000/a/b:v1@${DIGEST}\nindex.docker.io/library/debian:latest@${DIGEST}\nindex.docker.io/me/app:2@${DIGEST}\n`,
  );
});

test('files that are not asked for are not written', async () => {
  await writeDigestFiles(none, DIGEST, destinations);
  expect(readdirSync(folder)).toEqual([]);
});

test('a file is written in place, because it may be a mount', async () => {
  const target = join(folder, 'target');
  writeFileSync(target, 'old content, longer than a digest '.repeat(10));
  symlinkSync(target, join(folder, 'link'));
  await writeDigestFiles({ ...none, digestFile: join(folder, 'link') }, DIGEST, []);
  expect(readFileSync(target, 'utf8')).toBe(DIGEST);
});

test('a file that cannot be written is OUTPUT_FAILED', async () => {
  await expect(writeDigestFiles({ ...none, digestFile: folder }, DIGEST, [])).rejects.toMatchObject({ code: 'OUTPUT_FAILED' });
});

test('without an output only the digest is told', async () => {
  const image = testImage([await testLayer()]);
  const sink = digestSink();
  const signal = new AbortController().signal;
  await sink.check(signal);
  expect(await sink.write([image], signal)).toEqual({ where: '', digest: assembleImage(image).manifest.descriptor.digest });
});

test('before the build a folder in the place of a file, or a place where no file can be made, is an error', async () => {
  await expect(checkDigestFiles({ ...none, digestFile: folder })).rejects.toMatchObject({
    code: 'OUTPUT_FAILED',
    message: `cannot write ${folder}: it is a folder`,
  });
  await expect(checkDigestFiles({ ...none, imageNameTagWithDigestFile: '/proc/none/x' })).rejects.toMatchObject({ code: 'OUTPUT_FAILED' });
  await checkDigestFiles({ ...none, digestFile: join(folder, 'deep', 'digest'), imageNameWithDigestFile: '/dev/null' });
  expect(readdirSync(folder)).toEqual(['deep']);
});
