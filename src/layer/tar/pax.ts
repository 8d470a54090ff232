/**
 * PAX extended header records, `LENGTH KEY=VALUE\n`, as bytes: values are not decoded, so names that are not UTF-8 and
 * binary xattrs survive. Spec: POSIX.1 pax, "pax Extended Header".
 */
import type { ByteString } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';

/** In order: sparse maps of GNU format 0.0 repeat their keys. An empty value deletes what a global header had set. */
export type PaxRecords = readonly (readonly [key: ByteString, value: ByteString])[];

/** Throws LAYER_INVALID. */
export function parsePax(body: Buffer): PaxRecords {
  const records: [ByteString, ByteString][] = [];
  let at = 0;
  while (at < body.length) {
    const blank = body.indexOf(0x20, at);
    const digits = blank < 0 ? '' : body.toString('latin1', at, blank);
    const length = /^[0-9]{1,7}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length < digits.length + 4 || end > body.length || body[end - 1] !== 0x0a) throw malformed();
    const equals = body.indexOf(0x3d, blank + 1);
    if (equals <= blank + 1 || equals >= end) throw malformed();
    const key = body.toString('latin1', blank + 1, equals);
    const value = body.toString('latin1', equals + 1, end - 1);
    if (key.includes('\0') || ((key === 'path' || key === 'linkpath' || key === 'GNU.sparse.name') && value.includes('\0')))
      throw malformed();
    records.push([key, value]);
    at = end;
  }
  return records;
}

/** Records in byte order of keys, so that the same entry always gives the same bytes. */
export function encodePax(records: ReadonlyMap<ByteString, ByteString>): Buffer {
  const keys = [...records.keys()].sort();
  return Buffer.from(keys.map((key) => encodeRecord(key, records.get(key) as ByteString)).join(''), 'latin1');
}

function encodeRecord(key: ByteString, value: ByteString): ByteString {
  const rest = key.length + value.length + 3;
  // The length counts its own digits.
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** Seconds with an optional fraction, as nanoseconds; finer digits are cut. Throws LAYER_INVALID beyond 64-bit seconds. */
export function parsePaxTime(value: ByteString): bigint {
  const match = /^(-?)([0-9]{1,20})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw new TsbuildError('LAYER_INVALID', 'invalid tar: malformed time in a PAX header');
  const seconds = BigInt(match[2] as string);
  const fraction = BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  const nanoseconds = seconds * 1_000_000_000n + fraction;
  if (seconds >= 2n ** 63n) throw new TsbuildError('LAYER_INVALID', 'invalid tar: time in a PAX header is out of range');
  return match[1] === '-' ? -nanoseconds : nanoseconds;
}

/** Nanoseconds as a PAX time, the fraction without trailing zeros. */
export function formatPaxTime(nanoseconds: bigint): ByteString {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = String(size % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${nanoseconds < 0n ? '-' : ''}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

/** A decimal number from 0. Throws LAYER_INVALID, also beyond 2^53. */
export function parsePaxNumber(key: ByteString, value: ByteString): number {
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : -1;
  if (number < 0 || !Number.isSafeInteger(number)) {
    throw new TsbuildError('LAYER_INVALID', `invalid tar: PAX header has a bad number for "${key.slice(0, 100)}"`);
  }
  return number;
}

function malformed(): TsbuildError {
  return new TsbuildError('LAYER_INVALID', 'invalid tar: malformed record in a PAX header');
}
