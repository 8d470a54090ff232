/** sha256 digests of files' contents, as far as possible without reading them again. */
import type { Digest } from '../image/digest.ts';
import type { FileContent } from '../layer/entry.ts';

export interface FileDigests {
  /**
   * Of a regular file's content, which has `size` bytes. Throws COPY_FAILED where it cannot be read or is no longer what was
   * looked at, and the signal's reason.
   */
  digestOf(content: FileContent, size: number, signal: AbortSignal): Promise<Digest> | Digest;
  /** Writes what is worth keeping; failures are nobody's loss. */
  save(): Promise<void>;
}
