/**
 * Dockerfile text on its way to a terminal: control characters become pictures of themselves, so that a file cannot
 * move the cursor or change colours, and long words are cut.
 */

const LONGEST_WORD = 60;

/** Each control character but the tab as one visible character: columns stay what they were. */
export function visible(text: string): string {
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/g, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '\u2421' : '\ufffd';
  });
}

/** A word of the file for a message of one line. */
export function shown(word: string): string {
  return visible(word.length > LONGEST_WORD ? `${word.slice(0, LONGEST_WORD)}...` : word);
}
