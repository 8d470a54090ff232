/**
 * Builds for tests of caches: the whole program in this process, from command line to registry, with small bases that differ from
 * test to test, so that no test is answered from what another one left. Needs root, whose builds start no other process.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { StepState } from '../../src/build/events.ts';
import { parseCommandLine } from '../../src/cli/parse-command-line.ts';
import { runBuild } from '../../src/cli/wire.ts';
import { type RegistryServer, startRegistry } from '../../src/demo/registry-server.ts';
import { scratchFolder } from './builds.ts';
import { type ContextFiles, changeContext, tarOf } from './context-files.ts';
import { baseTar } from './debian-base.ts';
import { type ImageLines, imageLinesReader } from './image-lines.ts';
import { BASE_HISTORY } from './oci-reader.ts';

const BACKEND = fileURLToPath(new URL('../../dist/backend', import.meta.url));
const PROGRAMS = {
  init: join(BACKEND, 'namespaces/init.cjs'),
  run: join(BACKEND, 'command/run.cjs'),
  runProot: join(BACKEND, 'proot/run-proot.cjs'),
};
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;
const TYPES = {
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;
const INDEX = 'application/vnd.oci.image.index.v1+json';

/** A busybox with a layer of its own. */
export interface LabBase {
  /** Content of /base-file. */
  readonly text?: string;
  /** Over the `config` of the image config. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Architectures that an index has the same files for. None: an image for this machine. */
  readonly architectures?: readonly string[];
  readonly manifest?: keyof typeof TYPES;
}

export interface LabInput {
  /** `@base`, `@other`: references of `bases`; `@http`: the URL of `http`. */
  readonly dockerfile: string;
  readonly files?: ContextFiles;
  /** `@context` and `@folder`: the folder of the context, and one beside it for what it does not hold. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** `base` is always there. */
  readonly bases?: Readonly<Record<string, LabBase>>;
  /** Files outside of the context. */
  readonly beside?: ContextFiles;
  /** What the server has, by path. */
  readonly http?: Readonly<Record<string, string>>;
}

export interface LabStep {
  /** From 1, within the Dockerfile's stages that the target could need. */
  readonly number: number;
  readonly title: string;
  readonly state: StepState;
}

export interface LabBuild {
  /** Those that make layers, in the build's order, of the stages that were begun. */
  readonly steps: readonly LabStep[];
  readonly warnings: readonly string[];
  readonly image: ImageLines;
}

export interface LabBuildOptions {
  readonly cacheFolder: string;
  readonly flags?: readonly string[];
  /** Of the image. One for each project where none is given. */
  readonly repository?: string;
}

/** One input after another in the same folders. */
export interface LabProject {
  /** Brings folders, bases and the server to what the input says. */
  settle(input: LabInput): Promise<void>;
  /** Builds what has been settled. `name`: of the image, unique for this project. */
  build(name: string, how: LabBuildOptions): Promise<LabBuild>;
}

export interface CacheLab extends AsyncDisposable {
  readonly registry: RegistryServer;
  /** A new folder that goes away with the lab. */
  folder(prefix: string): string;
  project(id: string): LabProject;
}

export async function openCacheLab(options: Parameters<typeof startRegistry>[0] = {}): Promise<CacheLab> {
  const registry = await startRegistry(options);
  const served = new Map<string, string>();
  const server = createServer((request, response) => {
    const body = served.get(request.url ?? '');
    if (body === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'last-modified': 'Tue, 14 Nov 2023 22:13:20 GMT' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const folders: string[] = [];
  const folder = (prefix: string): string => {
    const made = scratchFolder(prefix);
    folders.push(made);
    return made;
  };
  const push = basePusher(registry.host);
  const read = imageLinesReader(registry.host);
  const stderr = 'pipe';

  function project(id: string): LabProject {
    const top = folder(`lab-${id}`);
    const [context, beside, dockerfile] = [join(top, 'context'), join(top, 'beside'), join(top, 'Dockerfile')];
    for (const made of [context, beside]) mkdirSync(made);
    let settled: LabInput = { dockerfile: '' };

    return {
      async settle(input) {
        const bases = { base: {}, ...input.bases };
        for (const [name, base] of Object.entries(bases)) await push(`${id}-${name}`, id, base);
        const text = Object.keys(bases).reduce(
          (left, name) => left.replaceAll(`@${name}`, `${registry.host}/bases:${id}-${name}`),
          input.dockerfile.replaceAll('@http', `${http}/${id}`),
        );
        writeFileSync(dockerfile, text);
        await changeContext(context, settled.files ?? {}, input.files ?? {});
        await changeContext(beside, settled.beside ?? {}, input.beside ?? {});
        for (const [path, body] of Object.entries(input.http ?? {})) served.set(`/${id}/${path}`, body);
        settled = input;
      },
      async build(name, { cacheFolder, flags = [], repository = `out/${id}` }) {
        const argv = ['--context', context, '--dockerfile', dockerfile, '--destination', `${registry.host}/${repository}:${name}`];
        argv.push('--insecure-registry', registry.host, '--cache-dir', cacheFolder);
        const own = (settled.flags ?? []).map((flag) => flag.replaceAll('@context', context).replaceAll('@folder', beside));
        const { PATH, HOME } = process.env;
        const line = parseCommandLine([...argv, ...own, ...flags], { env: { PATH, HOME, ...settled.env }, cwd: top, stderr });
        if (line.asks !== 'build') throw new Error('the command line asks for no build');
        const starts = new Map<string, { readonly title: string; readonly number: number }>();
        const steps: LabStep[] = [];
        const warnings: string[] = [];
        const log: string[] = [];
        const never = new AbortController().signal;
        try {
          await runBuild(line.options, {
            report(event) {
              if (event.type === 'step-start') starts.set(event.id, event);
              if (event.type === 'step-output') log.push(Buffer.from(event.chunk).toString());
              if (event.type === 'warning') warnings.push(event.message);
              const start = event.type === 'step-end' ? starts.get(event.id) : undefined;
              if (event.type !== 'step-end' || start === undefined || !makesLayer(start.title)) return;
              steps.push({ number: start.number, title: start.title, state: event.state });
            },
            signal: never,
            quote: () => undefined,
            programs: PROGRAMS,
          });
        } catch (error) {
          throw new Error(`${(error as Error).message}\n${log.join('')}`, { cause: error });
        }
        return { steps: steps.sort((a, b) => a.number - b.number), warnings, image: await read(repository, name) };
      },
    };
  }

  return {
    registry,
    folder,
    project,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await registry[Symbol.asyncDispose]();
      for (const made of folders) rmSync(made, { recursive: true, force: true });
    },
  };
}

function makesLayer(title: string): boolean {
  return /^(?:ONBUILD )?(?:RUN|COPY|ADD|WORKDIR)\b/i.test(title);
}

/** Pushes bases as tags of the repository `bases`; what they share is sent once. */
function basePusher(host: string): (tag: string, salt: string, base: LabBase) => Promise<void> {
  const sent = new Map<string, Promise<void>>();
  let busybox: { readonly blob: Buffer; readonly diffId: string } | undefined;
  const url = (path: string): string => `http://${host}/v2/bases/${path}`;
  const put = async (target: string, body: Uint8Array, type: string): Promise<void> => {
    const response = await fetch(target, { method: 'PUT', body: new Uint8Array(body), headers: { 'content-type': type } });
    if (!response.ok) throw new Error(`PUT ${target}: ${response.status} ${await response.text()}`);
  };
  const sendBlob = async (digest: string, body: Buffer): Promise<void> => {
    const begun = await fetch(url('blobs/uploads/'), { method: 'POST' });
    const target = new URL(begun.headers.get('location') ?? '', url(''));
    target.searchParams.set('digest', digest);
    await put(target.href, body, 'application/octet-stream');
  };
  const blob = async (body: Buffer) => {
    const digest = sha256(body);
    const sending = sent.get(digest) ?? sendBlob(digest, body);
    sent.set(digest, sending);
    await sending;
    return { digest, size: body.length };
  };
  const sendJson = async (reference: string | null, mediaType: string, fields: object) => {
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }));
    await put(url(`manifests/${reference ?? sha256(body)}`), body, mediaType);
    return { mediaType, digest: sha256(body), size: body.length };
  };
  return async (tag, salt, { text = 'base', config, architectures = [], manifest = 'oci' }) => {
    busybox ??= { blob: gzipSync(readFileSync(baseTar('busybox')), { level: 1 }), diffId: sha256(readFileSync(baseTar('busybox'))) };
    const own = await tarOf({ 'base-file': text, 'base-salt': salt });
    const layers = [busybox.blob, gzipSync(own)];
    const sentLayers = await Promise.all(layers.map(blob));
    const types = TYPES[manifest];
    const image = async (architecture: string, reference: string | null) => {
      const made = {
        architecture,
        os: 'linux',
        created: '2023-11-14T22:13:20Z',
        config: { Env: ['PATH=/usr/bin:/bin'], Cmd: ['/bin/sh'], ...config },
        rootfs: { type: 'layers', diff_ids: [busybox?.diffId, sha256(own)] },
        history: layers.map(() => ({ created: '2023-11-14T22:13:20Z', created_by: BASE_HISTORY })),
      };
      const pushed = await blob(Buffer.from(JSON.stringify(made)));
      return sendJson(reference, types.manifest, {
        config: { mediaType: types.config, ...pushed },
        layers: sentLayers.map((layer) => ({ mediaType: types.layer, ...layer })),
      });
    };
    if (architectures.length === 0) {
      await image(ARCHITECTURE, tag);
      return;
    }
    const manifests = [];
    for (const architecture of architectures) {
      manifests.push({ ...(await image(architecture, null)), platform: { os: 'linux', architecture } });
    }
    await sendJson(tag, INDEX, { manifests });
  };
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
