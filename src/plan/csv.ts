/**
 * One record of comma-separated values, as `--mount` takes them: a field may be quoted as a whole, and `""` is a quote
 * within it. Reference: RFC 4180; Go encoding/csv (no lazy quotes).
 */
import { TsbuildError } from '../errors.ts';

/** Throws DOCKERFILE_SEMANTICS for a quote out of place. */
export function parseCsvRecord(text: string): readonly string[] {
  const fields: string[] = [];
  let rest = text;
  for (;;) {
    const quoted = rest.startsWith('"');
    const match = quoted ? /^"((?:[^"]|"")*)"(?=,|$)/.exec(rest) : /^[^",]*(?=,|$)/.exec(rest);
    if (match === null) {
      throw new TsbuildError('DOCKERFILE_SEMANTICS', `a quote is out of place in "${text}"`, {
        hint: `quote a field that has a comma as a whole, and the quotes, too: --mount=type=bind,'"source=a,b"',target=/x`,
      });
    }
    fields.push(quoted ? (match[1] ?? '').replaceAll('""', '"') : match[0]);
    rest = rest.slice(match[0].length);
    if (rest === '') return fields;
    rest = rest.slice(1);
  }
}
