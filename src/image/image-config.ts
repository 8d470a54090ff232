/** Image configs as registries give them, checked where we rely on them; the rest is kept as it is. Spec: OCI image-spec config.md. */
import { TsbuildError } from '../errors.ts';
import type { ImageConfig } from './image.ts';
import { isObject, isTextList, type JsonObject, parseJsonObject } from './json.ts';

/** Throws IMAGE_INVALID. `layerCount`: how many layers the manifest lists. */
export function parseImageConfig(bytes: Uint8Array, layerCount: number): ImageConfig {
  const document = parseJsonObject(bytes, 'the image config');
  const { os, architecture, rootfs, history } = document;
  if (typeof os !== 'string' || typeof architecture !== 'string' || os === '' || architecture === '') {
    throw new TsbuildError('IMAGE_INVALID', 'the image config names no platform: this is not an image that can be built upon');
  }
  const diffIds = isObject(rootfs) ? (rootfs['diff_ids'] ?? []) : undefined;
  if (!isTextList(diffIds)) throw new TsbuildError('IMAGE_INVALID', 'the image config has no list of diff ids');
  if (diffIds.length !== layerCount) {
    throw new TsbuildError('IMAGE_INVALID', `the image config has ${diffIds.length} diff ids for ${layerCount} layers`);
  }
  if (history !== undefined && history !== null && !Array.isArray(history)) {
    throw new TsbuildError('IMAGE_INVALID', 'the history of the image config is not a list');
  }
  checkContainerConfig(document['config']);
  return withoutNulls({ ...document, rootfs: { type: 'layers', diff_ids: diffIds } }) as unknown as ImageConfig;
}

/** Go writes null for what is empty; the types of this project have absent fields there. */
function withoutNulls(object: JsonObject): JsonObject {
  const config = isObject(object['config']) ? { config: dropNulls(object['config'], ['Entrypoint', 'Cmd']) } : {};
  return { ...dropNulls(object, []), ...config };
}

function dropNulls(object: JsonObject, except: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key, value]) => value !== null || except.includes(key)));
}

const LISTS = ['Env', 'Entrypoint', 'Cmd', 'Shell', 'OnBuild'] as const;
const RECORDS = ['ExposedPorts', 'Volumes', 'Labels'] as const;
const TEXTS = ['User', 'WorkingDir', 'StopSignal'] as const;

function checkContainerConfig(config: unknown): void {
  if (config === undefined || config === null) return;
  const check = (ok: boolean, field: string): void => {
    if (!ok) throw new TsbuildError('IMAGE_INVALID', `${field} of the image config has an unexpected form`);
  };
  check(isObject(config), 'config');
  const fields = config as JsonObject;
  for (const name of LISTS) check((fields[name] ?? null) === null || isTextList(fields[name]), name);
  for (const name of RECORDS) check((fields[name] ?? null) === null || isObject(fields[name]), name);
  for (const name of TEXTS) check((fields[name] ?? null) === null || typeof fields[name] === 'string', name);
}
