/**
 * Paths and names as bytes.
 *
 * Linux names are bytes without NUL and `/`; most are UTF-8, some are not. A byte string is a JavaScript string in which
 * each code unit is one byte (0-255, "latin1"): it compares, sorts and hashes in byte order, works as a Map key, and
 * never loses information. Text becomes a byte string by `bytesOf`, a byte string becomes text only for people, by
 * `textOf`. Paths inside images are byte strings, relative, POSIX, without a leading `/`; the root is ''.
 */

/** Each code unit is one byte. Only this module converts. */
export type ByteString = string & { readonly __bytes?: never };

/** A path inside an image or context: relative, no leading or trailing `/`, no `.`, `..` or empty parts; '' is the root. */
export type BytePath = ByteString;

/** In a message. */
const LONGEST_SHOWN = 600;
const ASCII_ONLY = /^[\x00-\x7f]*$/;

/** The UTF-8 bytes of a text. */
export function bytesOf(text: string): ByteString {
  return ASCII_ONLY.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * For messages: bytes read as UTF-8, what is not UTF-8 as U+FFFD, and what would move a cursor or turn the order of what
 * is read as an escape (`\n`, `\x1b`, `\u{202e}`), so that a name stays within its line. Very long paths lose their middle.
 */
export function textOf(bytes: ByteString): string {
  if (bytes.length > LONGEST_SHOWN) {
    const half = LONGEST_SHOWN / 2;
    return `${textOf(bytes.slice(0, half))}...${textOf(bytes.slice(-half))}`;
  }
  const text = ASCII_ONLY.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, escapeOf);
}

function escapeOf(character: string): string {
  const short = { '\n': '\\n', '\t': '\\t', '\r': '\\r' }[character];
  if (short !== undefined) return short;
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, '0')}`;
}

/** What Node's fs calls take: a plain string when that means the same bytes, else a Buffer. */
export function forFs(bytes: ByteString): string | Buffer {
  return ASCII_ONLY.test(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

export function joinPath(parent: BytePath, name: ByteString): BytePath {
  return parent === '' ? name : name === '' ? parent : `${parent}/${name}`;
}

/** The folder that holds `path`; '' for names directly below the root and for the root itself. */
export function parentOf(path: BytePath): BytePath {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function baseName(path: BytePath): ByteString {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * Any spelling of a path as a BytePath: `.` and empty parts vanish, `..` goes up and is clamped at the root
 * (Docker resolves `COPY ../x` to `x`).
 */
export function cleanPath(path: ByteString): BytePath {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

/** Byte order, for sort(). */
export function compareBytes(a: ByteString, b: ByteString): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
