/**
 * One record of comma-separated values, as `--mount` takes them: a field may be quoted as a whole, and `""` is a quote
 * within it. Reference: RFC 4180; Go encoding/csv (no lazy quotes).
 */
import { TsbuildError } from '../errors.ts';

/** Throws DOCKERFILE_SEMANTICS for a quote out of place. */
export function parseCsvRecord(text: string): readonly string[] {
  const fields: string[] = [];
  for (let at = 0; ; at++) {
    const end = fieldEnd(text, at);
    if (end === undefined) {
      throw new TsbuildError('DOCKERFILE_SEMANTICS', `a quote is out of place in "${text}"`, {
        hint: `quote a field that has a comma as a whole, and the quotes, too: --mount=type=bind,'"source=a,b"',target=/x`,
      });
    }
    fields.push(text.charAt(at) === '"' ? text.slice(at + 1, end - 1).replaceAll('""', '"') : text.slice(at, end));
    if (end === text.length) return fields;
    at = end;
  }
}

/** Where the comma or the end is behind the field at `from`. No regular expression: those run out of stack in long texts. */
function fieldEnd(text: string, from: number): number | undefined {
  if (text.charAt(from) !== '"') {
    const comma = text.indexOf(',', from);
    const end = comma < 0 ? text.length : comma;
    return text.slice(from, end).includes('"') ? undefined : end;
  }
  for (let quote = text.indexOf('"', from + 1); quote >= 0; quote = text.indexOf('"', quote + 2)) {
    const next = text.charAt(quote + 1);
    if (next === ',' || next === '') return quote + 1;
    if (next !== '"') return undefined;
  }
  return undefined;
}
