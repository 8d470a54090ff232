/** What a stage begins with: its base, of which nothing is fetched before somebody asks for its files. */
import type { BaseImage } from '../base-image/image-source.ts';
import { locate } from '../errors.ts';
import type { Layer } from '../image/image.ts';
import { withoutInlineCache } from '../image/inline-cache.ts';
import { baseKey, type Stage } from '../plan/plan.ts';
import type { LayerNeed } from '../unpacked/layer-library.ts';
import { baseHistory } from './base-history.ts';
import { contextOf } from './contexts.ts';
import type { Halt } from './halt.ts';
import type { Ports } from './ports.ts';
import type { SharedSources } from './shared-sources.ts';
import { type StageLayer, type StageState, withLayer } from './stage-state.ts';
import { treeEntries } from './tree-entries.ts';

export interface StageStart {
  readonly ports: Ports;
  readonly sources: SharedSources;
  readonly bases: ReadonlyMap<string, BaseImage>;
  readonly halt: Halt;
  /** What the first RUN of the stage will need. */
  readonly need: LayerNeed;
  stateAt(index: number): Promise<StageState>;
  /** Told of work that has to end before the build does. */
  begin(work: Promise<unknown>): void;
  /** Told of each layer that the stage begins with. */
  offer(layer: Layer): void;
}

export async function startStage(stage: Stage, start: StageStart): Promise<StageState> {
  const { base } = stage;
  switch (base.kind) {
    case 'stage':
      return start.stateAt(base.index);
    case 'scratch':
      return scratchStart();
    case 'folder':
      return folderState(base.name, start);
    case 'image': {
      const image = start.bases.get(baseKey(base));
      if (image === undefined) throw new Error(`the base ${base.ref} was not resolved`);
      for (const layer of image.layers) start.offer(layer);
      return {
        baseConfig: withoutInlineCache(image.config),
        format: image.format,
        layers: layersOf(image, start, (error) => locate(error, stage.at)),
        undetermined: [],
        baseHistory: baseHistory(image),
        history: [],
      };
    }
  }
}

/** Layers of an image from elsewhere. A failure of one stops the others, and the build. */
export function layersOf(
  { layers }: BaseImage,
  { ports, halt }: Pick<StageStart, 'ports' | 'halt'>,
  placed: (error: unknown) => unknown = (error) => error,
): readonly StageLayer[] {
  return layers.map((layer) => ({
    layer: Promise.resolve(layer),
    async material(need) {
      try {
        return await ports.layers.material(layer, need, halt.signal);
      } catch (error) {
        const failure = placed(error);
        halt.stop(failure);
        throw failure;
      }
    },
  }));
}

function scratchStart(): StageState {
  return { baseConfig: null, format: 'oci', layers: [], undetermined: [], baseHistory: [], history: [] };
}

/** A folder of --build-context is one layer with all that is in it. */
async function folderState(name: string, { ports, sources, halt, need, offer, begin }: StageStart): Promise<StageState> {
  const { tree } = contextOf({ kind: 'folder', name }, sources.contexts).context;
  const { layer, material } = ports.layers.seal([...treeEntries(tree, '')], { format: 'oci', need }, halt.signal);
  begin(layer.then(offer, (error: unknown) => halt.stop(error)));
  const createdBy = `FROM ${name} # folder of --build-context`;
  return withLayer(
    scratchStart(),
    { layer, material: async () => material },
    { created: ports.now().toISOString(), createdBy, made: 'by its key' },
  );
}
