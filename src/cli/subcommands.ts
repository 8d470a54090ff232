/**
 * The words that may stand first on the command line. Kaniko's is flags only, so a first word without a dash can be nothing else.
 * What they do is in run-subcommand.ts.
 */
import { TsbuildError } from '../errors.ts';
import { nearest } from '../words/nearest.ts';

export type SubcommandName = 'doctor' | 'cache' | 'warm';

/** `summary`: one line for `tsbuild --help`. */
export const SUBCOMMANDS: readonly { readonly name: SubcommandName; readonly summary: string }[] = [
  { name: 'doctor', summary: 'Tell which isolations work here, and why.' },
  { name: 'warm', summary: 'Fetch images into the cache ahead of builds.' },
  { name: 'cache', summary: 'List, prune or verify what caches keep.' },
];

/** The sub-command that the line begins with; undefined: it is a build's. Throws USAGE for a word that is none. */
export function subcommandOf([first]: readonly string[]): SubcommandName | undefined {
  if (first === undefined || first === '' || first.startsWith('-')) return undefined;
  const names = SUBCOMMANDS.map(({ name }) => name);
  const found = names.find((name) => name === first);
  if (found !== undefined) return found;
  const near = nearest(first, names);
  throw new TsbuildError('USAGE', `unknown command "${first}"`, {
    hint:
      near === undefined
        ? `a build takes flags only, its context is --context FOLDER; the commands are: ${names.join(', ')}`
        : `did you mean "tsbuild ${near}"?`,
  });
}
