/**
 * Go's durations, as HEALTHCHECK takes and history shows them. Nanoseconds are plain numbers: whole up to 104 days,
 * which is what a JSON number carries anyway. Reference: Go time.ParseDuration, Duration.String.
 */
import { TsbuildError } from '../errors.ts';

const UNITS: ReadonlyMap<string, number> = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['µs', 1e3],
  ['μs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['h', 3600e9],
]);

/** Nanoseconds of `1h30m`, `1.5s`, `0`. Throws DOCKERFILE_SEMANTICS. */
export function parseDuration(text: string): number {
  const invalid = (why: string): TsbuildError =>
    new TsbuildError('DOCKERFILE_SEMANTICS', `"${text}" is not a duration: ${why}`, { hint: 'for example 30s, 1m30s or 500ms' });
  const sign = text.startsWith('-') ? -1 : 1;
  let rest = text.replace(/^[-+]/, '');
  if (rest === '0') return 0;
  if (rest === '') throw invalid('it is empty');
  let total = 0;
  while (rest !== '') {
    const number = /^(?:\d+(?:\.\d*)?|\.\d+)/.exec(rest)?.[0];
    if (number === undefined) throw invalid('a number is missing');
    rest = rest.slice(number.length);
    const unit = /^[^.\d]+/.exec(rest)?.[0];
    if (unit === undefined) throw invalid('a unit is missing');
    const factor = UNITS.get(unit);
    if (factor === undefined) throw invalid(`unknown unit "${unit}"`);
    rest = rest.slice(unit.length);
    total += Math.trunc(Number(number) * factor);
  }
  if (total > Number.MAX_SAFE_INTEGER) throw invalid('it is too long');
  return total === 0 ? 0 : sign * total;
}

/** Go's text of a duration: `0s`, `1.5s`, `2m0s`, `100ms`. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 0) return `-${formatDuration(-nanoseconds)}`;
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${decimal(nanoseconds, 3)}µs`;
  if (nanoseconds < 1e9) return `${decimal(nanoseconds, 6)}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${decimal(nanoseconds % 60e9, 9)}s`;
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}

/** `value / 10^digits` without rounding and without trailing zeros. */
function decimal(value: number, digits: number): string {
  const text = String(value).padStart(digits + 1, '0');
  const fraction = text.slice(-digits).replace(/0+$/, '');
  return fraction === '' ? text.slice(0, -digits) : `${text.slice(0, -digits)}.${fraction}`;
}
