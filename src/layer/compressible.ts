/**
 * Whether deflate would make a block smaller, told from samples of its bytes in a fraction of the time that deflate takes to find out:
 * what is compressed or encrypted already costs it more than anything else. Integers alone, so that every machine decides alike.
 *
 * Two things make bytes compressible: some values are more frequent than others, or runs of bytes repeat within the window. The first
 * is looked for in each small part of the block, so that a little text among noise is not averaged away. Any doubt means "yes": a
 * wrong yes costs time, a wrong no costs every pull of the layer.
 */

/** How far deflate looks back. */
export const WINDOW = 32 * 1024;

/** Of each page a piece is counted, at a place that wanders, since structured files repeat at powers of two. */
const PAGE = 4096;
const COUNTED = 1024;
/** Consecutive pages whose counts are judged together. */
const PAGES = 8;
/**
 * Excess of sum(p²) over that of bytes that are all equally frequent, in terms of the latter. Noise of random bytes: 0.003 for a part.
 * 0.02 is what 5 % of text in it make.
 */
const MOST_EXCESS = 0.02;

/** Every so many bytes one position is remembered. A token of known length is thereby met in each of its phases. */
const REMEMBERED = 16;
/** Of each page so many bytes in a row are looked up. */
const LOOKED_UP = 512;
/** More repeated bytes than one in so many are worth it. */
const LEAST_REPEATED = 128;
const HASH_BITS = 14;

/** Asks `before` (up to WINDOW bytes in front of the block) for repeats, too. Blocks of a few pages are always worth deflating. */
export function isCompressible(block: Uint8Array, before: Uint8Array | undefined): boolean {
  return block.length < PAGES * PAGE || hasFrequentBytes(block) || hasRepeats(block, before);
}

function hasFrequentBytes(block: Uint8Array): boolean {
  const counts = new Uint32Array(256);
  const pages = Math.floor(block.length / PAGE);
  for (let first = 0; first < pages; first += PAGES) {
    // The last part reaches back, so that all are of one size.
    const from = Math.min(first, pages - PAGES);
    counts.fill(0);
    for (let page = from; page < from + PAGES; page++) {
      const start = page * PAGE + ((page + (page >> 2)) & 3) * COUNTED;
      for (let at = start; at < start + COUNTED; at++) (counts[block[at] as number] as number)++;
    }
    let squares = 0;
    for (const count of counts) squares += count * count;
    const total = PAGES * COUNTED;
    // Of equally frequent bytes: total² / 256 + total, whose second part is noise.
    if ((squares - total) * 256 > total * total * (1 + MOST_EXCESS)) return true;
  }
  return false;
}

function hasRepeats(block: Uint8Array, before: Uint8Array | undefined): boolean {
  const words = new Int32Array(1 << HASH_BITS);
  const places = new Int32Array(1 << HASH_BITS).fill(-2 * WINDOW);
  const remember = (bytes: Uint8Array, at: number, place: number): void => {
    const word = wordAt(bytes, at);
    const slot = slotOf(word);
    words[slot] = word;
    places[slot] = place;
  };
  if (before !== undefined) for (let at = 0; at + 4 <= before.length; at += REMEMBERED) remember(before, at, at - before.length);
  let lookedUp = 0;
  let found = 0;
  const pages = Math.floor(block.length / PAGE);
  for (let page = 0; page < pages; page++) {
    const start = page * PAGE;
    const from = start + ((page + (page >> 3)) & 7) * LOOKED_UP;
    const to = Math.min(from + LOOKED_UP, block.length - 3);
    let word = wordAt(block, from);
    for (let at = from; at < to; at++) {
      const slot = slotOf(word);
      if (words[slot] === word && at - (places[slot] as number) <= WINDOW) found++;
      word = (word >>> 8) | ((block[at + 4] as number) << 24);
    }
    lookedUp += to - from;
    for (let at = start; at < start + PAGE; at += REMEMBERED) remember(block, at, at);
  }
  return found * REMEMBERED * LEAST_REPEATED > lookedUp;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}

/** Fibonacci hashing. */
function slotOf(word: number): number {
  return Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
}
