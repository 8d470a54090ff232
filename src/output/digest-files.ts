/** The files by which the next step of a pipeline learns what was built, in Kaniko's formats. Reference: kaniko pkg/executor/push.go. */
import { existsSync } from 'node:fs';
import { access, constants, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { outputFailure, prepareFile } from '../blob/atomic-file.ts';
import type { Digest } from '../image/digest.ts';
import { DOCKER_HUB, type Reference, withDefaultTag } from '../image/reference.ts';
import { makeFolder } from '../sys/make-folder.ts';

export interface DigestFiles {
  /** `--digest-file`: the digest, without a line end. Paths are absolute; null: not asked for. */
  readonly digestFile: string | null;
  /** `--image-name-with-digest-file`: a line `name@digest` for each destination. */
  readonly imageNameWithDigestFile: string | null;
  /** `--image-name-tag-with-digest-file`: a line `name:tag@digest` for each destination. */
  readonly imageNameTagWithDigestFile: string | null;
}

/** The files can be written, as far as can be told before they are: asked before a build. Makes missing folders. Throws OUTPUT_FAILED. */
export async function checkDigestFiles(files: DigestFiles): Promise<void> {
  for (const path of [files.digestFile, files.imageNameWithDigestFile, files.imageNameTagWithDigestFile]) {
    if (path === null) continue;
    const found = await stat(path).catch(() => null);
    if (found === null || found.isDirectory()) await prepareFile(path);
    else await access(path, constants.W_OK).catch((error) => Promise.reject(outputFailure(path, error)));
  }
}

/** Throws OUTPUT_FAILED. Missing folders are made. */
export async function writeDigestFiles(files: DigestFiles, digest: Digest, destinations: readonly Reference[]): Promise<void> {
  const lines = (format: (destination: Reference) => string): string => destinations.map((d) => `${format(d)}@${digest}\n`).join('');
  const texts: readonly (readonly [string | null, string])[] = [
    [files.digestFile, digest],
    [files.imageNameWithDigestFile, lines(nameOf)],
    [files.imageNameTagWithDigestFile, lines((d) => `${nameOf(d)}${tagSuffix(d)}`)],
  ];
  for (const [path, text] of texts) {
    if (path === null) continue;
    const isNew = !existsSync(path);
    try {
      makeFolder(dirname(path));
      // Not by a rename: Kubernetes' /dev/termination-log is a mounted file, which can only be written in place.
      await writeFile(path, text);
    } catch (error) {
      // Half a digest would be taken for one.
      if (isNew) await rm(path, { force: true });
      throw outputFailure(path, error);
    }
  }
}

/** Kaniko writes Docker Hub's name as go-containerregistry does. */
function nameOf({ registry, repository }: Reference): string {
  return `${registry === DOCKER_HUB ? 'index.docker.io' : registry}/${repository}`;
}

function tagSuffix(destination: Reference): string {
  const { tag } = withDefaultTag(destination);
  return tag === undefined ? '' : `:${tag}`;
}
