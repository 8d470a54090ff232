/**
 * Dockerfile text on its way to a terminal: control characters become pictures of themselves, so that a file cannot
 * move the cursor, change colours or turn the order of what is read, and long words are cut.
 */

const LONGEST_WORD = 60;
/** In UTF-16 units. */
const LONGEST_MESSAGE = 500;

/** Each control character but the tab as one visible character: columns stay what they were. */
export function visible(text: string): string {
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '\u2421' : '\ufffd';
  });
}

/** A word of the file for a message of one line. */
export function shown(word: string): string {
  return visible(word.length > LONGEST_WORD ? `${word.slice(0, LONGEST_WORD)}...` : word);
}

/** A message that quotes the file or the command line, as one line of bearable length: what is too much is cut out of its middle. */
export function shownMessage(text: string): string {
  if (text.length <= LONGEST_MESSAGE) return visible(text);
  const half = LONGEST_MESSAGE / 2;
  return visible(`${text.slice(0, half)} ... ${text.slice(-half)}`);
}
