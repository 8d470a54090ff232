/** Result files after the image is where it should be: what fails here must not look as if the image had not got there. */
import { TsbuildError } from '../errors.ts';
import { parseReference } from '../image/reference.ts';
import { writeDigestFiles } from '../output/digest-files.ts';
import type { Published } from '../output/image-sink.ts';
import type { BuildOptions } from './options.ts';

/** Null: all are written. Else OUTPUT_FAILED, which says where the image is all the same. */
export async function writeResultFiles(
  { resultFiles, output }: Pick<BuildOptions, 'resultFiles' | 'output'>,
  published: readonly Published[],
): Promise<TsbuildError | null> {
  const digest = published[0]?.digest;
  if (digest === undefined) throw new Error('a build without a destination has no digest');
  try {
    await writeDigestFiles(resultFiles, digest, output.destinations.map(parseReference));
    return null;
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    const done = output.push === 'to-destinations' && output.destinations.length > 0 ? 'pushed' : 'built';
    return new TsbuildError(error.code, `the image was ${done}, but a result file was not written: ${error.message}`, {
      hint: error.hint ?? 'the digest is on stdout',
      cause: error,
    });
  }
}
