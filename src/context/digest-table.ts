/**
 * Digests by what stat(2) said of their files, as one block of numbers that is read and written as it is: a file of 40,000
 * digests is there in a few milliseconds. Files are told apart by inode, device, size and times, and by their path's hash.
 */
import { createHash, hash } from 'node:crypto';
import type { Digest } from '../image/digest.ts';
import type { FileStamp } from '../layer/entry.ts';

/** One state of one file. */
export interface FileState {
  readonly stamp: FileStamp;
  readonly size: number;
  readonly path: string | Buffer;
}

/** `forget`: not for another build, because the file might be changed without its times showing it. */
export type Keep = 'keep' | 'forget';

export interface DigestTable {
  /** What is found is kept. */
  find(file: FileState): Digest | undefined;
  add(file: FileState, hex: string, keep: Keep): void;
  /** Whether anything was added that is for other builds. */
  readonly hasNews: boolean;
  /** What was found or added, for `readTable`. */
  bytes(): Buffer;
}

/** Machines of another byte order read other numbers. Its last digit is the format's version. */
const MAGIC = 0x7473_6264_6967_0001n;
/** Magic and count. */
const HEAD_WORDS = 2;
const WORD = 8;
/** device, inode, size, mtime, ctime, path; then the digest. */
const STATE_WORDS = 6;
const RECORD_WORDS = STATE_WORDS + 4;
const RECORD = RECORD_WORDS * WORD;
const CHECKSUM = 32;

/** Far more than any context has files: what is larger is no table of ours. */
export const LARGEST_TABLE = HEAD_WORDS * WORD + 2_000_000 * RECORD + CHECKSUM;

const UNSEEN = 0;
const KEPT = 1;
const FORGOTTEN = 2;

/** Anything but the bytes of a table reads as an empty one. `bytes` begin at a multiple of eight and are the table's from here on. */
export function readTable(bytes: Uint8Array<ArrayBuffer>): DigestTable {
  return isTable(bytes) ? tableOf(bytes) : tableOf(Buffer.alloc(HEAD_WORDS * WORD + CHECKSUM));
}

function isTable(bytes: Uint8Array<ArrayBuffer>): boolean {
  const room = bytes.length - HEAD_WORDS * WORD - CHECKSUM;
  if (bytes.byteOffset % WORD !== 0 || room < 0 || room % RECORD !== 0) return false;
  const head = new BigInt64Array(bytes.buffer, bytes.byteOffset, HEAD_WORDS);
  if (head[0] !== MAGIC || head[1] !== BigInt(room / RECORD)) return false;
  const sum = createHash('sha256').update(bytes.subarray(0, -CHECKSUM)).digest();
  return sum.equals(bytes.subarray(-CHECKSUM));
}

function tableOf(loaded: Uint8Array<ArrayBuffer>): DigestTable {
  let count = (loaded.length - HEAD_WORDS * WORD - CHECKSUM) / RECORD;
  let records = Buffer.from(loaded.buffer, loaded.byteOffset + HEAD_WORDS * WORD, count * RECORD);
  let words = wordsOf(records);
  let seen = new Uint8Array(count);
  /** Records by a hash of their inode, open addressing; -1: free. At most half full. */
  let slots = new Int32Array(0);
  let hasNews = false;

  function index(): void {
    slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(16, 2 * (seen.length + 1))))).fill(-1);
    for (let record = 0; record < count; record++) insert(record);
  }

  function insert(record: number): void {
    let slot = slotOf(words[record * RECORD_WORDS + 1] as bigint);
    while (slots[slot] !== -1) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = record;
  }

  const slotOf = (inode: bigint): number => (Math.imul(Number(inode & 0xffff_ffffn), 0x9e37_79b1) >>> 7) & (slots.length - 1);

  function isOf(record: number, { stamp, size }: FileState, path: bigint): boolean {
    const at = record * RECORD_WORDS;
    return (
      words[at + 1] === stamp.inode &&
      words[at] === stamp.device &&
      words[at + 2] === BigInt(size) &&
      words[at + 3] === stamp.mtimeNs &&
      words[at + 4] === stamp.ctimeNs &&
      words[at + 5] === path
    );
  }

  function grow(): void {
    const larger = Buffer.from(new ArrayBuffer(Math.max(64, 2 * count) * RECORD));
    records.copy(larger, 0, 0, count * RECORD);
    records = larger;
    words = wordsOf(records);
    const states = new Uint8Array(records.length / RECORD);
    states.set(seen);
    seen = states;
    index();
  }

  index();
  return {
    find(file) {
      const path = hashOf(file.path);
      for (
        let slot = slotOf(file.stamp.inode), record: number;
        (record = slots[slot] as number) !== -1;
        slot = (slot + 1) & (slots.length - 1)
      ) {
        if (!isOf(record, file, path)) continue;
        if (seen[record] === UNSEEN) seen[record] = KEPT;
        const at = record * RECORD + STATE_WORDS * WORD;
        return `sha256:${records.toString('hex', at, at + 32)}` as Digest;
      }
      return undefined;
    },
    add(file, hex, keep) {
      if (count === seen.length) grow();
      const at = count * RECORD_WORDS;
      words[at] = file.stamp.device;
      words[at + 1] = file.stamp.inode;
      words[at + 2] = BigInt(file.size);
      words[at + 3] = file.stamp.mtimeNs;
      words[at + 4] = file.stamp.ctimeNs;
      words[at + 5] = hashOf(file.path);
      records.write(hex, (at + STATE_WORDS) * WORD, 'hex');
      seen[count] = keep === 'keep' ? KEPT : FORGOTTEN;
      hasNews ||= keep === 'keep';
      insert(count++);
    },
    get hasNews() {
      return hasNews;
    },
    bytes() {
      const kept = seen.subarray(0, count).reduce((sum, state) => sum + (state === KEPT ? 1 : 0), 0);
      const out = Buffer.from(new ArrayBuffer(HEAD_WORDS * WORD + kept * RECORD + CHECKSUM));
      const head = wordsOf(out.subarray(0, HEAD_WORDS * WORD));
      head[0] = MAGIC;
      head[1] = BigInt(kept);
      let end = HEAD_WORDS * WORD;
      for (let record = 0; record < count; record++) {
        if (seen[record] === KEPT) end += records.copy(out, end, record * RECORD, (record + 1) * RECORD);
      }
      out.write(hash('sha256', out.subarray(0, end), 'hex'), end, 'hex');
      return out;
    },
  };
}

function wordsOf(bytes: Uint8Array<ArrayBuffer>): BigInt64Array {
  return new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / WORD);
}

/** FNV-1a twice: inode and times tell files apart, this is for file systems that lie about them. */
function hashOf(path: string | Buffer): bigint {
  let low = 0x811c_9dc5;
  let high = 0x1234_5678;
  for (let i = 0; i < path.length; i++) {
    const byte = typeof path === 'string' ? path.charCodeAt(i) : (path[i] as number);
    low = Math.imul(low ^ byte, 0x0100_0193);
    high = Math.imul(high ^ byte, 0x0100_0193) + 1;
  }
  return (BigInt(high | 0) << 32n) | BigInt(low >>> 0);
}
