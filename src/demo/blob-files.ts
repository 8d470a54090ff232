/** Blobs and unfinished uploads of the demo's registry, as files in a temporary folder, hashed while they arrive. */
import { createHash, type Hash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { RegistryFault } from './registry-fault.ts';

interface Upload {
  readonly file: FileHandle;
  readonly hash: Hash;
  size: number;
}

export class BlobFiles implements AsyncDisposable {
  readonly #folder: string;
  readonly #uploads = new Map<string, Upload>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<BlobFiles> {
    return new BlobFiles(await mkdtemp(join(tmpdir(), 'tsbuild-registry-')));
  }

  /** A new upload's id. */
  async begin(): Promise<string> {
    const id = randomUUID();
    this.#uploads.set(id, { file: await open(join(this.#folder, id), 'wx'), hash: createHash('sha256'), size: 0 });
    return id;
  }

  async append(id: string, body: AsyncIterable<Buffer>): Promise<void> {
    const upload = this.#upload(id);
    for await (const chunk of body) {
      upload.hash.update(chunk);
      await upload.file.writeFile(chunk);
      upload.size += chunk.length;
    }
  }

  sizeOf(id: string): number {
    return this.#upload(id).size;
  }

  /** Makes the upload a blob. Throws DIGEST_INVALID, and forgets the upload, when its bytes have another digest. */
  async commit(id: string, digest: string): Promise<void> {
    const upload = this.#upload(id);
    this.#uploads.delete(id);
    await upload.file.close();
    const real = `sha256:${upload.hash.digest('hex')}`;
    if (real !== digest) {
      await rm(join(this.#folder, id));
      throw new RegistryFault(400, 'DIGEST_INVALID', `the blob has digest ${real}, not ${digest}`);
    }
    await rename(join(this.#folder, id), this.#path(digest));
  }

  async abort(id: string): Promise<void> {
    const upload = this.#upload(id);
    this.#uploads.delete(id);
    await upload.file.close();
    await rm(join(this.#folder, id));
  }

  async blobSize(digest: string): Promise<number> {
    return (await stat(this.#path(digest))).size;
  }

  read(digest: string, start: number): Readable {
    return createReadStream(this.#path(digest), { start });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { file } of this.#uploads.values()) await file.close();
    this.#uploads.clear();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #upload(id: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload === undefined) throw new RegistryFault(404, 'BLOB_UPLOAD_UNKNOWN', `there is no upload ${id}`);
    return upload;
  }

  #path(digest: string): string {
    return join(this.#folder, digest.replace(':', '-'));
  }
}
