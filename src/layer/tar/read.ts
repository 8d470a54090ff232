/**
 * A tar archive, pushed in as chunks of any size, handed out as members and views of their content. Synchronous and
 * without copies except for headers that lie across two chunks; memory is bounded whatever the archive says.
 *
 * Reads ustar, GNU (long names, base-256, sparse), PAX (local and global) and old V7 archives. Does not judge names.
 * Specs: POSIX.1 pax; GNU tar manual, "Tar Internals".
 */
import type { ByteString } from '../../bytes/byte-path.ts';
import { textOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import { checksumFits, FIELD, isZeroBlock, readNumber } from './header-block.ts';
import { BLOCK, MAX_EXTENSION_BYTES, type TarHandler } from './member.ts';
import { type PaxRecords, parsePax } from './pax.ts';
import { type ResolvedMember, resolveMember } from './resolve-member.ts';
import { type ContentMapReader, checkedSparse, createContentMapReader, type Extent, readOldGnuSlots, type SparseFile } from './sparse.ts';

export interface TarReader {
  /** Throws LAYER_INVALID and whatever the handler throws; after that the reader must not be used, except for `abort`. */
  write(chunk: Buffer): void;
  /** Throws LAYER_INVALID when the archive is cut short. Missing zero blocks at the end are accepted, as Docker does. */
  end(): void;
  abort(): void;
}

type State =
  | { readonly at: 'header' }
  | { readonly at: 'second-zero-block' }
  | { readonly at: 'extension'; readonly flag: string; readonly body: Buffer; filled: number }
  | { readonly at: 'old-gnu-map'; readonly resolved: ResolvedMember; readonly extents: Extent[] }
  | { readonly at: 'content-map'; readonly resolved: ResolvedMember; readonly map: ContentMapReader; read: number }
  | { readonly at: 'content'; left: number; readonly padding: number; readonly extents: ExtentWalk | undefined }
  | { readonly at: 'padding'; left: number }
  | { readonly at: 'end' };

/** Where in a sparse file the content goes on. */
interface ExtentWalk {
  readonly file: SparseFile;
  next: number;
  position: number;
  leftInExtent: number;
}

const HEADER: State = { at: 'header' };
/** L and K: GNU long names; x and g: PAX; X: Solaris's x. */
const EXTENSION_FLAGS = 'LKxgX';

export function createTarReader(handler: TarHandler): TarReader {
  let state: State = HEADER;
  let longName: ByteString | undefined;
  let longLink: ByteString | undefined;
  let pax: PaxRecords | undefined;
  let globalPax: ReadonlyMap<ByteString, ByteString> = new Map();
  const split = Buffer.allocUnsafe(BLOCK);
  let splitLength = 0;
  let lastName = '';

  function header(block: Buffer, start: number): void {
    if (isZeroBlock(block, start)) {
      if (pax !== undefined || longName !== undefined || longLink !== undefined) throw invalid('an extension header has no member');
      state = { at: 'second-zero-block' };
      return;
    }
    if (!checksumFits(block, start)) {
      throw invalid(
        lastName === '' ? 'the header checksum is wrong: this is no tar archive' : `the header after "${lastName}" has a wrong checksum`,
      );
    }
    const flag = String.fromCharCode(block[start + FIELD.type.at] as number);
    if (EXTENSION_FLAGS.includes(flag)) {
      const size = readNumber(block, start, FIELD.size);
      if (size < 0 || size > MAX_EXTENSION_BYTES) throw invalid(`an extension header of ${size} bytes: more than 1 MiB is refused`);
      const extension: State = { at: 'extension', flag, body: Buffer.allocUnsafe(size), filled: 0 };
      state = extension;
      if (size === 0) extensionEnd(extension);
      return;
    }
    // A volume label is no file.
    if (flag === 'V') return;
    const resolved = resolveMember(block, start, flag, { longName, longLink, pax, globalPax });
    longName = longLink = pax = undefined;
    lastName = textOf(resolved.member.name).slice(0, 200);
    const { sparse } = resolved;
    if (sparse.kind === 'in-content') state = { at: 'content-map', resolved, map: createContentMapReader(), read: 0 };
    else if (sparse.kind === 'old-gnu' && sparse.more) state = { at: 'old-gnu-map', resolved, extents: [...sparse.extents] };
    else begin(resolved, sparse.kind === 'none' ? undefined : sparse.extents, resolved.stored);
  }

  function extensionEnd({ flag, body }: Extract<State, { at: 'extension' }>): void {
    if (flag === 'L') longName = untilNul(body);
    else if (flag === 'K') longLink = untilNul(body);
    else if (flag === 'g') globalPax = mergedGlobal(globalPax, parsePax(body));
    else pax = parsePax(body);
    state = afterPadding(paddingOf(body.length));
  }

  /** Announces the member; `left` bytes of content follow (`stored` less the map of format 1.0). */
  function begin({ member, stored }: ResolvedMember, extents: readonly Extent[] | undefined, left: number): void {
    const file = extents === undefined ? undefined : checkedSparse(member.size, extents, left);
    handler.member(member);
    if (member.type !== 'file') {
      state = HEADER;
      return;
    }
    const walk: ExtentWalk | undefined = file && { file, next: 0, position: 0, leftInExtent: 0 };
    if (left > 0) state = { at: 'content', left, padding: paddingOf(stored), extents: walk };
    else contentEnd(walk, paddingOf(stored));
  }

  function contentEnd(walk: ExtentWalk | undefined, padding: number): void {
    if (walk !== undefined && walk.position < walk.file.size) handler.hole(walk.file.size - walk.position);
    handler.contentEnd?.();
    state = afterPadding(padding);
  }

  function block(bytes: Buffer, start: number): void {
    switch (state.at) {
      case 'header':
        header(bytes, start);
        return;
      case 'second-zero-block':
        if (!isZeroBlock(bytes, start)) throw invalid(`data after the end mark, behind "${lastName}"`);
        state = { at: 'end' };
        return;
      case 'old-gnu-map': {
        const { extents, more } = readOldGnuSlots(bytes, start, 'continuation');
        state.extents.push(...extents);
        if (state.extents.length * 24 > MAX_EXTENSION_BYTES) throw invalid('the map of a sparse file is too long');
        if (!more) begin(state.resolved, state.extents, state.resolved.stored);
        return;
      }
      case 'content-map': {
        const { resolved, map } = state;
        state.read += BLOCK;
        const { read } = state;
        if (read > resolved.stored) throw invalid('the map of a sparse file is longer than its content');
        const extents = map.block(bytes, start);
        if (extents !== undefined) begin(resolved, extents, resolved.stored - read);
        return;
      }
      default:
        throw new Error(`no block is expected at ${state.at}`);
    }
  }

  /** Consumes from `chunk` at `at`; returns how far it came. */
  function step(chunk: Buffer, at: number): number {
    const available = chunk.length - at;
    switch (state.at) {
      case 'content': {
        const current = state;
        const take = Math.min(available, current.left);
        const view = take === chunk.length ? chunk : chunk.subarray(at, at + take);
        current.left -= take;
        if (current.extents === undefined) handler.content(view);
        else spread(handler, current.extents, view);
        if (current.left === 0) contentEnd(current.extents, current.padding);
        return at + take;
      }
      case 'padding': {
        const take = Math.min(available, state.left);
        state.left -= take;
        if (state.left === 0) state = HEADER;
        return at + take;
      }
      case 'extension': {
        const current = state;
        const take = Math.min(available, current.body.length - current.filled);
        chunk.copy(current.body, current.filled, at, at + take);
        current.filled += take;
        if (current.filled === current.body.length) extensionEnd(current);
        return at + take;
      }
      case 'end':
        return chunk.length;
      default: {
        if (splitLength === 0 && available >= BLOCK) {
          block(chunk, at);
          return at + BLOCK;
        }
        const take = Math.min(available, BLOCK - splitLength);
        chunk.copy(split, splitLength, at, at + take);
        splitLength += take;
        if (splitLength === BLOCK) {
          splitLength = 0;
          block(split, 0);
        }
        return at + take;
      }
    }
  }

  return {
    write(chunk) {
      let at = 0;
      while (at < chunk.length) at = step(chunk, at);
    },
    end() {
      const complete = state.at === 'end' || state.at === 'second-zero-block' || (state.at === 'header' && splitLength === 0);
      // Some writers leave out the padding of the last member.
      const unpadded = state.at === 'padding';
      if ((!complete && !unpadded) || pax !== undefined || longName !== undefined || longLink !== undefined) {
        throw invalid(`the archive is cut short${lastName === '' ? '' : ` after or within "${lastName}"`}`);
      }
      handler.end?.();
    },
    abort() {
      handler.abort?.();
    },
  };
}

/** Stored bytes of a sparse file, with the holes between them. */
function spread(handler: TarHandler, walk: ExtentWalk, bytes: Buffer): void {
  let at = 0;
  while (at < bytes.length) {
    if (walk.leftInExtent === 0) {
      const extent = walk.file.extents[walk.next] as Extent;
      walk.next++;
      if (extent.offset > walk.position) handler.hole(extent.offset - walk.position);
      walk.position = extent.offset;
      walk.leftInExtent = extent.length;
    }
    const take = Math.min(walk.leftInExtent, bytes.length - at);
    handler.content(bytes.subarray(at, at + take));
    at += take;
    walk.position += take;
    walk.leftInExtent -= take;
  }
}

function afterPadding(left: number): State {
  return left === 0 ? HEADER : { at: 'padding', left };
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function untilNul(body: Buffer): ByteString {
  const nul = body.indexOf(0);
  return body.toString('latin1', 0, nul < 0 ? body.length : nul);
}

/** Later global headers add to earlier ones; a growing pile of them is refused like one that is too large. */
function mergedGlobal(known: ReadonlyMap<ByteString, ByteString>, records: PaxRecords): ReadonlyMap<ByteString, ByteString> {
  const merged = new Map(known);
  for (const [key, value] of records) {
    if (value === '') merged.delete(key);
    else merged.set(key, value);
  }
  let bytes = 0;
  for (const [key, value] of merged) bytes += key.length + value.length;
  if (bytes > MAX_EXTENSION_BYTES) throw invalid('global PAX headers of more than 1 MiB are refused');
  return merged;
}

function invalid(why: string): TsbuildError {
  return new TsbuildError('LAYER_INVALID', `invalid tar: ${why}`);
}
