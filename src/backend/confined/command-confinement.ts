/** Commands that are kept from some places of the rootfs that they run in: what each may open, and who helps it meanwhile. */
import { landlockVersion } from '../../sys/landlock.ts';
import type { Supervisor } from '../supervised/supervise.ts';
import { LANDLOCK_VERSION_NEEDED } from './confine.ts';
import { type AllowedPath, type Confinement, confinementFor } from './confinement.ts';
import { openEntryStock } from './entry-stock.ts';
import { helpWithNewEntries } from './new-entries.ts';

export interface CommandConfinement {
  /** For a command that begins right after this. */
  next(): Confinement;
  /** `process`, `failed`: see supervise. Throws system errors. */
  help(process: { readonly pid: number; readonly fd: number }, confinement: Confinement, failed: (error: unknown) => void): Supervisor;
}

export interface ClosedPlaces {
  /** Absolute. */
  readonly closed: readonly string[];
  /** Exceptions inside them. */
  readonly open: readonly AllowedPath[];
  /** For entry-stock.ts: absolute, in a closed place on the file system of `/`. */
  readonly stockFolder: string;
}

/** undefined: this kernel's Landlock cannot do it, if there is one. */
export async function commandConfinement({ closed, open, stockFolder }: ClosedPlaces): Promise<CommandConfinement | undefined> {
  const version = landlockVersion();
  if (version < LANDLOCK_VERSION_NEEDED) return undefined;
  const stock = await openEntryStock(stockFolder);
  return {
    next: () => confinementFor(closed, [...open, ...stock.fill()], version),
    help: (process, confinement, failed) => helpWithNewEntries(process, { confinement, stock }, failed),
  };
}
