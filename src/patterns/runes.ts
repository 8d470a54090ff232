/**
 * Byte strings as text for pattern matching, without loss. Go's matchers work on runes, so `?` has to take a whole
 * UTF-8 character; bytes that are not UTF-8 become lone surrogates U+DC80-U+DCFF, one each, as in Python's surrogateescape.
 */
import type { ByteString } from '../bytes/byte-path.ts';

const ASCII_ONLY = /^[\x00-\x7f]*$/;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** One well-formed UTF-8 character of more than one byte, by the table of RFC 3629. */
const MULTIBYTE =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

/** Equal byte strings give equal texts and different ones different texts. */
export function runesOf(bytes: ByteString): string {
  if (ASCII_ONLY.test(bytes)) return bytes;
  return bytes.replace(MULTIBYTE, (character) =>
    character.length === 1 ? String.fromCharCode(0xdc00 + character.charCodeAt(0)) : strict.decode(Buffer.from(character, 'latin1')),
  );
}
