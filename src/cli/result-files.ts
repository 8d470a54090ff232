/** --digest-file and its relatives: what the next step of a pipeline reads. Formats are Kaniko's. */
import { writeFileSync } from 'node:fs';
import { TsbuildError } from '../errors.ts';
import { formatReference, parseReference, repositoryOf } from '../image/reference.ts';
import type { Published } from '../output/image-sink.ts';
import type { BuildOptions } from './options.ts';

/** Throws OUTPUT_FAILED. */
export function writeResultFiles(options: Pick<BuildOptions, 'output' | 'resultFiles'>, published: readonly Published[]): void {
  const { digestFile, imageNameWithDigestFile, imageNameTagWithDigestFile } = options.resultFiles;
  const digest = published[0]?.digest;
  if (digest === undefined) throw new Error('the build has no digest');
  const references = options.output.destinations.map(parseReference);
  const lines = (nameOf: (reference: (typeof references)[number]) => string): string =>
    references.map((reference) => `${nameOf(reference)}@${digest}\n`).join('');
  if (digestFile !== null) write(digestFile, digest);
  if (imageNameWithDigestFile !== null) write(imageNameWithDigestFile, lines(repositoryOf));
  if (imageNameTagWithDigestFile !== null) write(imageNameTagWithDigestFile, lines(formatReference));
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw new TsbuildError('OUTPUT_FAILED', `cannot write ${path}`, { cause, hint: 'the image is published all the same' });
  }
}
