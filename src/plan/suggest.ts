/** Hints for a name that is not known: the nearest one that is, else all of them. */
import { nearest } from '../words/nearest.ts';

/** `what` names the list, as in "the stages are". Undefined when nothing is known. */
export function suggest(name: string, known: readonly string[], what: string): string | undefined {
  const close = nearest(name, known);
  if (close !== undefined) return `did you mean "${close}"?`;
  return known.length === 0 ? undefined : `${what}: ${known.join(', ')}`;
}
