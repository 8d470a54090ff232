/** What several steps of a build may take from, fetched once: images of --from, folders of contexts for mounts. */
import { oncePerKey } from '../async/once-per-key.ts';
import type { BaseImage } from '../base-image/image-source.ts';
import { TsbuildError } from '../errors.ts';
import type { LayerMaterial } from '../layer/layer-material.ts';
import { baseKey, type Origin } from '../plan/plan.ts';
import { type Contexts, contextOf, isContext } from './contexts.ts';
import type { Ports } from './ports.ts';
import type { ContextFiles } from './stage-context.ts';
import { treeEntries } from './tree-entries.ts';

export interface SharedSources {
  readonly contexts: Contexts;
  /** Throws as ImageSource does. */
  image(origin: Extract<Origin, { kind: 'image' }>): Promise<BaseImage>;
  /** Of an origin that is a context. */
  contextFiles(origin: Origin): ContextFiles;
}

export interface SharedSourcesOptions {
  readonly contexts: Contexts;
  /** Those of FROM, by baseKey. */
  readonly bases: ReadonlyMap<string, BaseImage>;
  readonly ports: Ports;
  readonly signal: AbortSignal;
}

export function sharedSources({ contexts, bases, ports, signal }: SharedSourcesOptions): SharedSources {
  const images = oncePerKey<BaseImage>();
  const placed = oncePerKey<LayerMaterial>();

  const resolve = async (origin: Extract<Origin, { kind: 'image' }>): Promise<BaseImage> => {
    const found = await ports.images.resolve(origin.ref, origin.platform, signal).catch((error: unknown) => {
      throw mistakenForImage(error, origin.ref);
    });
    for (const message of found.warnings) ports.report({ type: 'warning', message });
    return found;
  };

  return {
    contexts,
    async image(origin) {
      return bases.get(baseKey(origin)) ?? images.get(baseKey(origin), () => resolve(origin));
    },
    contextFiles(origin) {
      if (!isContext(origin)) throw new Error(`a ${origin.kind} is no context`);
      const open = contextOf(origin, contexts);
      const name = origin.kind === 'folder' ? origin.name : null;
      return {
        kind: 'context',
        ...open,
        place: (path) => placed.get(JSON.stringify([name, path]), () => ports.layers.place(treeEntries(open.context.tree, path), signal)),
      };
    },
  };
}

/** `ports` whose downloads and checkouts are made once, whoever asks. Those that failed are tried again. */
export function fetchingOnce(ports: Ports): Ports {
  const downloads = oncePerKey<Awaited<ReturnType<Ports['download']>>>();
  const checkouts = oncePerKey<Awaited<ReturnType<Ports['checkout']>>>();
  return {
    ...ports,
    download: (url, signal) => downloads.get(url, () => ports.download(url, signal)),
    checkout: (repository, signal) => checkouts.get(JSON.stringify(repository), () => ports.checkout(repository, signal)),
  };
}

/** A plain name that no registry has was probably meant to be a stage. */
function mistakenForImage(error: unknown, ref: string): unknown {
  if (!(error instanceof TsbuildError) || error.hint !== undefined || /[/:.@]/.test(ref)) return error;
  const hint = `no stage above is named "${ref}", so it was taken for an image`;
  return new TsbuildError(error.code, error.message, { hint, at: error.at, cause: error.cause });
}
