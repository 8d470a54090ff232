/**
 * The 512-byte header of a tar member: field layout, numbers and checksum, for reading and writing.
 * Spec: POSIX.1 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format" (base-256 numbers).
 */
import type { ByteString } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';

export interface Field {
  readonly at: number;
  readonly length: number;
}

export const FIELD = {
  name: { at: 0, length: 100 },
  mode: { at: 100, length: 8 },
  uid: { at: 108, length: 8 },
  gid: { at: 116, length: 8 },
  size: { at: 124, length: 12 },
  mtime: { at: 136, length: 12 },
  checksum: { at: 148, length: 8 },
  type: { at: 156, length: 1 },
  link: { at: 157, length: 100 },
  magic: { at: 257, length: 8 },
  major: { at: 329, length: 8 },
  minor: { at: 337, length: 8 },
  prefix: { at: 345, length: 155 },
} as const satisfies Record<string, Field>;

/** Bytes up to the first NUL. `start` is where the header begins in `block`. */
export function readText(block: Buffer, start: number, field: Field): ByteString {
  const from = start + field.at;
  const limit = from + field.length;
  let end = from;
  while (end < limit && block[end] !== 0) end++;
  return block.toString('latin1', from, end);
}

/** A number in octal or, with the top bit set, base-256 (which may be negative). Throws LAYER_INVALID beyond 2^53. */
export function readNumber(block: Buffer, start: number, field: Field): number {
  if (((block[start + field.at] as number) & 0x80) === 0) {
    const value = readOctal(block, start, field);
    if (value === undefined) throw badNumber(field);
    return value;
  }
  const value = readBase256(block, start, field);
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < -BigInt(Number.MAX_SAFE_INTEGER)) throw badNumber(field);
  return Number(value);
}

/** Blanks, digits, then only blanks and NULs; undefined: anything else. */
function readOctal(block: Buffer, start: number, field: Field): number | undefined {
  let at = start + field.at;
  const limit = at + field.length;
  while (at < limit && (block[at] === 0x20 || block[at] === 0)) at++;
  let value = 0;
  for (; at < limit; at++) {
    const byte = block[at] as number;
    if (byte === 0x20 || byte === 0) break;
    if (byte < 0x30 || byte > 0x37) return undefined;
    value = value * 8 + byte - 0x30;
  }
  // Digits after the terminator would be read by some programs and not by others.
  for (; at < limit; at++) if (block[at] !== 0x20 && block[at] !== 0) return undefined;
  return value;
}

/** The same for times, which may use all 64 bits. */
export function readBigNumber(block: Buffer, start: number, field: Field): bigint {
  if (((block[start + field.at] as number) & 0x80) === 0) return BigInt(readNumber(block, start, field));
  const value = readBase256(block, start, field);
  if (BigInt.asIntN(64, value) !== value) throw badNumber(field);
  return value;
}

/** Two's complement of all bits but the marker bit, which doubles as nothing else: 0x80 positive, 0xff negative. */
function readBase256(block: Buffer, start: number, field: Field): bigint {
  const from = start + field.at;
  let value = BigInt((block[from] as number) & 0x7f);
  for (let i = 1; i < field.length; i++) value = (value << 8n) | BigInt(block[from + i] as number);
  return BigInt.asIntN(field.length * 8 - 1, value);
}

function badNumber(field: Field): TsbuildError {
  const name = Object.entries(FIELD).find(([, known]) => known.at === field.at)?.[0] ?? `at ${field.at}`;
  return new TsbuildError('LAYER_INVALID', `invalid tar header: the number in field "${name}" is malformed or too large`);
}

/** Whether the checksum fits; old programs summed signed bytes. `start` + 512 must be within `block`. */
export function checksumFits(block: Buffer, start: number): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < 512; i++) {
    const inside = i >= FIELD.checksum.at && i < FIELD.checksum.at + FIELD.checksum.length;
    const byte = inside ? 0x20 : (block[start + i] as number);
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  const stored = readOctal(block, start, FIELD.checksum);
  return stored === unsigned || stored === signed;
}

export function isZeroBlock(block: Buffer, start: number): boolean {
  for (let i = start; i < start + 512; i++) if (block[i] !== 0) return false;
  return true;
}

/** Octal, zero-padded, NUL at the end. The value must fit. */
export function writeOctal(block: Buffer, field: Field, value: number): void {
  let rest = value;
  for (let at = field.at + field.length - 2; at >= field.at; at--) {
    block[at] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
  block[field.at + field.length - 1] = 0;
}

/** The largest value that `writeOctal` can keep. */
export function octalLimit(field: Field): number {
  return 8 ** (field.length - 1) - 1;
}

/** Six octal digits, NUL, blank: the customary form. Call it last. */
export function writeChecksum(block: Buffer): void {
  block.fill(0x20, FIELD.checksum.at, FIELD.checksum.at + FIELD.checksum.length);
  let sum = 0;
  for (let i = 0; i < 512; i++) sum += block[i] as number;
  writeOctal(block, { at: FIELD.checksum.at, length: 7 }, sum);
}
