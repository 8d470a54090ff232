/**
 * --build-context: names that stand for a folder or an image of the user's. Such a name wins over a stage and over an image;
 * names are compared as image references are, so `busybox`, `busybox:latest` and `docker.io/library/busybox` are one.
 * Reference: BuildKit frontend/dockerui, NamedContext; dockerfile2llb, namedContextFunc.
 */
import { TsbuildError } from '../errors.ts';
import { formatPlatform, type Platform, parsePlatform } from '../image/platform.ts';
import { familiarReference, parseReference, withDefaultTag } from '../image/reference.ts';
import type { NamedContext, PlanInputs } from './plan.ts';

export interface FoundContext {
  /** Its key in `PlanInputs.contexts`. */
  readonly key: string;
  readonly context: NamedContext;
}

/** Names that mean the same whatever the command line says. */
const FIXED_NAMES = ['scratch', 'context'];

/** The key of a name as a user writes it: `NAME`, or `NAME::PLATFORM` for one platform only. Throws REFERENCE_INVALID, PLATFORM_INVALID, USAGE. */
export function contextKey(written: string): string {
  const [name = '', platform, ...more] = written.split('::');
  if (more.length > 0) throw new TsbuildError('USAGE', `"${written}" has more than one platform`, { hint: 'write NAME::PLATFORM' });
  if (FIXED_NAMES.includes(name.toLowerCase())) {
    throw new TsbuildError('USAGE', `"${name}" always means the same and cannot be replaced`, { hint: 'choose another name' });
  }
  const key = nameKey(name);
  return platform === undefined ? key : `${key}::${formatPlatform(parsePlatform(platform))}`;
}

/** What `name`, of a stage or after FROM or `from=`, stands for when it is built for `platform`; null: for no context. */
export function findContext(name: string, platform: Platform, contexts: PlanInputs['contexts']): FoundContext | null {
  if (contexts.size === 0 || FIXED_NAMES.includes(name.toLowerCase())) return null;
  const key = nameKeyOrNull(name);
  if (key === null) return null;
  for (const candidate of [`${key}::${formatPlatform(platform)}`, key]) {
    const context = contexts.get(candidate);
    if (context !== undefined) return { key: candidate, context };
  }
  return null;
}

function nameKey(name: string): string {
  return familiarReference(withDefaultTag(parseReference(name))).replace(/:latest$/, '');
}

/** The key of a name in a Dockerfile; null for one that cannot be an image's, and so no context's: a stage's number. */
export function nameKeyOrNull(name: string): string | null {
  try {
    return nameKey(name);
  } catch (error) {
    if (error instanceof TsbuildError) return null;
    throw error;
  }
}
