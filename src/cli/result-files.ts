/** Result files after the image is where it should be: what fails here must not look as if the image had not got there. */
import { TsbuildError } from '../errors.ts';
import type { OutputOptions } from './options.ts';

/** Null: `write` has written all. Else OUTPUT_FAILED, which says where the image is all the same. */
export async function writeAfterPublishing(output: OutputOptions, write: () => Promise<void>): Promise<TsbuildError | null> {
  try {
    await write();
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
