/** Blobs and manifests into registries, sending nothing that is there already. Spec: OCI distribution-spec, "Push". */
import { limiter } from '../async/limiter.ts';
import { reportTransfer, type TransferReport } from '../blob/report-transfer.ts';
import type { Descriptor } from '../image/image.ts';
import type { ClientParts } from './client-parts.ts';
import { type Endpoint, pushEndpoint } from './endpoints.ts';
import type { RequestBody } from './http.ts';
import type { BlobToPush, RegistryClient, RepositoryName } from './registry-client.ts';
import { RegistryError } from './registry-error.ts';
import { type RetryContext, retry } from './retry.ts';
import { sharedWork } from './shared-work.ts';
import { cancelUpload, mountBlob, openUpload, pushScope, sendBlob, type UploadApi, type UploadLocation } from './upload.ts';
import { beginStream } from './upload-stream.ts';

/** As containerd and Docker: more at once gains nothing on one line. */
const PARALLEL_UPLOADS = 5;

const CANCEL_MS = 5000;

type PushClient = Pick<RegistryClient, 'checkPush' | 'pushBlob' | 'blobSink' | 'pushManifest'>;

/** A blob that this client sends, or has sent, to one repository of a host: others of that host mount it from there. */
interface Sent {
  readonly path: string;
  readonly done: Promise<unknown>;
}

interface Delivery {
  readonly report: TransferReport;
  readonly earlier: Sent | undefined;
  readonly context: RetryContext;
}

interface Sending {
  readonly report: TransferReport;
  readonly opened: UploadLocation | undefined;
  readonly context: RetryContext;
}

export function createPush({ api, options, retrying }: ClientParts): PushClient {
  const checks = sharedWork<void>('results');
  const pushes = sharedWork<void>('results');
  const uploads = limiter(PARALLEL_UPLOADS);
  const sent = new Map<string, Sent>();

  const targetOf = ({ registry, repository }: RepositoryName): UploadApi => ({
    api,
    endpoint: pushEndpoint(registry, repository, options),
  });

  const reportOf = (endpoint: Endpoint, name: string, totalBytes: number | null): TransferReport => {
    const label = `${endpoint.registry}/${endpoint.path}`;
    return reportTransfer(options.onTransfer, { id: `push ${label} ${name}`, direction: 'push', label, totalBytes });
  };

  const exists = async ({ endpoint }: UploadApi, { digest }: Descriptor, context: RetryContext): Promise<boolean> => {
    const request = {
      method: 'HEAD',
      target: `${endpoint.path}/blobs/${digest}`,
      scopes: [pushScope(endpoint.path)],
      // A registry that does not do HEAD gets the blob again.
      expect: [200, 404, 405],
      what: `cannot push to ${endpoint.registry}/${endpoint.path}`,
    } as const;
    const response = await retry(() => api.request(endpoint, request, context.signal), context);
    response.discard();
    return response.status === 200;
  };

  /** Null: mounted. Else the session that a try to mount may have opened; undefined when there is none. */
  const tryMount = async (
    to: UploadApi,
    blob: BlobToPush,
    from: readonly string[],
    context: RetryContext,
  ): Promise<UploadLocation | null | undefined> => {
    for (const path of from) {
      try {
        return await mountBlob(to, { digest: blob.descriptor.digest, from: path }, context.signal);
      } catch (error) {
        // No right to read there, or no such repository any more: the blob is sent instead.
        if (!(error instanceof RegistryError)) throw error;
        context.debug(`cannot mount ${blob.descriptor.digest} from ${path}: ${error.message}`);
      }
    }
    return undefined;
  };

  const send = async (to: UploadApi, blob: BlobToPush, { report, opened, context }: Sending): Promise<void> => {
    const { signal } = context;
    let session = opened;
    await retry(async () => {
      const first = session ?? (await openUpload(to, signal));
      session = undefined;
      const body = (): RequestBody => ({ kind: 'stream', chunks: bytesOf(blob, report, signal), sizeBytes: blob.descriptor.size });
      await sendBlob(to, { location: first, digest: blob.descriptor.digest, body }, signal);
    }, context);
  };

  const deliver = async (to: UploadApi, blob: BlobToPush, { report, earlier, context }: Delivery): Promise<'mounted' | 'done'> => {
    const { endpoint } = to;
    const there = earlier !== undefined && (await succeeded(earlier.done, context.signal)) ? [earlier.path] : [];
    const sources = [...there, ...originsIn(endpoint, blob.origins ?? [])].filter((path) => path !== endpoint.path);
    const session = await tryMount(to, blob, sources, context);
    if (session === null) return 'mounted';
    await uploads.run(() => send(to, blob, { report, opened: session, context }));
    return 'done';
  };

  const push = async (to: UploadApi, blob: BlobToPush, context: RetryContext): Promise<void> => {
    const { endpoint } = to;
    const { descriptor } = blob;
    const report = reportOf(endpoint, descriptor.digest, descriptor.size);
    const key = `${endpoint.host} ${descriptor.digest}`;
    if (await exists(to, descriptor, context)) {
      if (!sent.has(key)) sent.set(key, { path: endpoint.path, done: Promise.resolve() });
      report.end('exists');
      return;
    }
    const earlier = sent.get(key);
    const work = deliver(to, blob, { report, earlier, context });
    if (earlier === undefined) sent.set(key, { path: endpoint.path, done: work });
    try {
      report.end(await work);
    } catch (error) {
      if (sent.get(key)?.done === work) sent.delete(key);
      throw error;
    }
  };

  return {
    async checkPush(to, signal) {
      const target = targetOf(to);
      const check = async (shared: AbortSignal): Promise<void> => {
        const location = await retry(() => openUpload(target, shared), retrying(shared));
        // Nobody waits for that.
        cancelUpload(target, location, AbortSignal.timeout(CANCEL_MS)).catch(() => undefined);
      };
      await checks.get(`${to.registry}/${to.repository}`, check, signal);
    },

    async pushBlob(to, blob, signal) {
      const key = `${to.registry}/${to.repository} ${blob.descriptor.digest}`;
      await pushes.get(key, (shared) => push(targetOf(to), blob, retrying(shared)), signal);
    },

    blobSink(to) {
      const target = targetOf(to);
      let streams = 0;
      return { begin: (signal) => beginStream(target, reportOf(target.endpoint, `stream ${++streams}`, null), retrying(signal)) };
    },

    async pushManifest({ registry, repository }, manifest, tag, signal) {
      const endpoint = pushEndpoint(registry, repository, options);
      const { digest, mediaType } = manifest.descriptor;
      const request = {
        method: 'PUT',
        target: `${repository}/manifests/${tag ?? digest}`,
        scopes: [pushScope(repository)],
        headers: { 'content-type': mediaType },
        body: (): RequestBody => ({ kind: 'bytes', bytes: Buffer.from(manifest.bytes) }),
        patience: 'commit',
        expect: [200, 201, 202],
        what: `cannot push ${registry}/${repository}${tag === null ? '' : `:${tag}`}`,
      } as const;
      const response = await retry(() => api.request(endpoint, request, signal), retrying(signal));
      const stored = response.header('docker-content-digest');
      response.discard();
      if (stored !== null && stored !== digest) {
        throw new RegistryError(
          'REGISTRY_FAILED',
          `${endpoint.host} stored another manifest than it was sent: ${stored} instead of ${digest}`,
          {
            ...response,
            retryable: false,
          },
        );
      }
    },
  };
}

async function* bytesOf(blob: BlobToPush, report: TransferReport, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  report.restart();
  const stream = await blob.open(signal);
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    report.advance(chunk.length);
    yield chunk;
  }
}

/** More tries would take longer than sending most layers does. */
const MOST_MOUNTS = 3;

/** Of the repositories that have a layer, those of this host. */
function originsIn(endpoint: Endpoint, origins: readonly string[]): readonly string[] {
  const prefix = `${endpoint.registry}/`;
  return origins.flatMap((origin) => (origin.startsWith(prefix) ? [origin.slice(prefix.length)] : [])).slice(0, MOST_MOUNTS);
}

async function succeeded(work: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  try {
    await work;
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
