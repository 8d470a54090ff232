/**
 * Cuts zstd data at the ends of its frames, without decompressing. Node's decompressor stops silently behind the first
 * frame when more follows in the same chunk (seen with Node 24), and layers of several frames are common: pzstd,
 * zstd:chunked. Given pieces that end with their frame it goes on with the next one.
 * Spec: RFC 8878, 3.1 "Frames".
 */

const FRAME = 0xfd2fb528;
/** 0x184d2a50 to ...5f. */
const SKIPPABLE = 0x184d2a50;
const RLE = 1;
const RESERVED = 3;

type State =
  | { readonly at: 'magic' | 'skippable-size' | 'descriptor' | 'frame-header' | 'block' }
  /** So many bytes belong to what is known; then comes the next thing, or the frame ends. */
  | { readonly at: 'body'; left: number; readonly next: 'block' | 'frame-end' }
  /** Not zstd: the decompressor says why. */
  | { readonly at: 'unknown' };

/** Pieces of the source, in order and complete; no piece holds bytes of two frames. */
export async function* cutAtFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const end = createFrameScanner();
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const stop = end(chunk, at);
      yield chunk.subarray(at, stop);
      at = stop;
    }
  }
}

/** Scans from `at` and returns where the frame ends, or the chunk. */
function createFrameScanner(): (chunk: Buffer, at: number) => number {
  let state: State = { at: 'magic' };
  let checksum = 0;
  /** Bytes of a field that may lie across chunks. */
  let field: number[] = [];
  let wanted = 4;

  function expect(next: 'magic' | 'skippable-size' | 'descriptor' | 'frame-header' | 'block', bytes: number): void {
    state = { at: next };
    wanted = bytes;
    field = [];
  }

  function body(length: number, next: 'block' | 'frame-end'): void {
    state = { at: 'body', left: length, next };
  }

  function fieldDone(): void {
    const value = field.reduceRight((sum, byte) => sum * 256 + byte, 0);
    switch (state.at) {
      case 'magic':
        if (value === FRAME) expect('descriptor', 1);
        else if (value - (value % 16) === SKIPPABLE) expect('skippable-size', 4);
        else state = { at: 'unknown' };
        return;
      case 'skippable-size':
        body(value, 'frame-end');
        return;
      case 'descriptor':
        checksum = (value & 0x04) === 0 ? 0 : 4;
        expect('frame-header', headerBytes(value));
        return;
      case 'frame-header':
        expect('block', 3);
        return;
      case 'block':
        blockHeader(value);
        return;
      default:
        throw new Error(`no field is expected at ${state.at}`);
    }
  }

  function blockHeader(value: number): void {
    const type = (value >> 1) & 3;
    if (type === RESERVED) {
      state = { at: 'unknown' };
      return;
    }
    const stored = type === RLE ? 1 : value >> 3;
    const last = (value & 1) === 1;
    body(last ? stored + checksum : stored, last ? 'frame-end' : 'block');
  }

  return (chunk, from) => {
    let at = from;
    for (;;) {
      if (state.at === 'unknown') return chunk.length;
      if (state.at === 'body') {
        const take = Math.min(state.left, chunk.length - at);
        state.left -= take;
        at += take;
        if (state.left > 0) return at;
        const { next } = state;
        if (next === 'frame-end') {
          expect('magic', 4);
          return at;
        }
        expect('block', 3);
      }
      if (at === chunk.length) return at;
      field.push(chunk[at] as number);
      at++;
      if (field.length === wanted) fieldDone();
    }
  };
}

/** What follows the frame header's descriptor: window, dictionary and content size. At least one byte. */
function headerBytes(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] as number;
  const contentSize = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  return (single ? 0 : 1) + dictionary + contentSize;
}
