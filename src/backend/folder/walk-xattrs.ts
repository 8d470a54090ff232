/** Attributes of a file that belong into a layer. */
import { DEVICE_MARK } from '../../layer/device-marks.ts';
import type { Xattrs } from './ownership.ts';

/** Neither those of overlays, nor of this machine's security, nor marks that only another rung gives. */
export function layerXattrs(xattrs: Xattrs | undefined): Xattrs | undefined {
  if (xattrs === undefined) return undefined;
  const kept = [...xattrs].filter(([name]) => name !== DEVICE_MARK && !/^((trusted|user)\.overlay\.|security\.selinux$)/.test(name));
  return kept.length === 0 ? undefined : new Map(kept);
}

export function equalXattrs(a: Xattrs | undefined, b: Xattrs | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.size !== b.size) return false;
  return [...a].every(([name, value]) => {
    const other = b.get(name);
    return other !== undefined && Buffer.compare(value, other) === 0;
  });
}
