/** Sizes on the command line. Units are decimal, as in what tsbuild shows. */
import { TsbuildError } from '../errors.ts';

/** What the cache folder may grow to when nobody says. */
export const DEFAULT_CACHE_SIZE = '20g';

const FACTORS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/** Bytes of `20g`, `1.5GB`, `500m` or `4096`. Throws USAGE. */
export function parseSize(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?)([kmgt]?)b?$/i.exec(text) ?? [];
  const bytes = Math.round(Number(number) * (FACTORS[unit.toLowerCase()] ?? Number.NaN));
  if (number !== '' && Number.isSafeInteger(bytes)) return bytes;
  throw new TsbuildError('USAGE', `"${text}" is not a size`, { hint: 'write bytes, or a number with k, m, g or t, such as 20g' });
}

/** The same as a bound, which `0` and `none` take away: null. Throws USAGE. */
export function parseBound(text: string): number | null {
  return text === 'none' ? null : parseSize(text) || null;
}
