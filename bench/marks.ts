/** Tables in Markdown files, between `<!-- NAME -->` and `<!-- end of NAME -->`. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Throws where `file` has no such marks. */
export function writeBetweenMarks(file: string, name: string, text: string): void {
  const before = readFileSync(file, 'utf8');
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const marked = new RegExp(`${begin}[\\s\\S]*${end}`);
  if (!marked.test(before)) throw new Error(`${file} has no place for ${name}.`);
  writeFileSync(
    file,
    before.replace(marked, () => `${begin}\n${text}\n${end}`),
  );
}
