/** The contexts of a build while it goes on: the main one, and those that --build-context names. */
import type { Cleanup } from '../async/cleanup.ts';
import type { Context, ContextSource } from '../context/context.ts';
import type { Origin } from '../plan/plan.ts';
import type { Ports } from './ports.ts';

export interface OpenContext {
  readonly context: Context;
  /** For messages. */
  readonly label: string;
}

export interface Contexts {
  readonly main: OpenContext;
  readonly named: ReadonlyMap<string, OpenContext>;
}

/** They stay open until `undo` closes them. */
export async function openContexts(ports: Ports, undo: Cleanup, signal: AbortSignal): Promise<Contexts> {
  const open = async (source: ContextSource): Promise<OpenContext> => {
    const context = await source.open(signal);
    undo.add(() => context[Symbol.asyncDispose]());
    return { context, label: source.label };
  };
  const named = new Map<string, OpenContext>();
  const main = await open(ports.context);
  for (const [name, source] of ports.namedContexts) named.set(name, await open(source));
  return { main, named };
}

type ContextOrigin = Extract<Origin, { kind: 'context' | 'folder' }>;

export function isContext(origin: Origin): origin is ContextOrigin {
  return origin.kind === 'context' || origin.kind === 'folder';
}

export function contextOf(origin: ContextOrigin, { main, named }: Contexts): OpenContext {
  if (origin.kind === 'context') return main;
  const found = named.get(origin.name);
  if (found === undefined) throw new Error(`the build context "${origin.name}" was not opened`);
  return found;
}
