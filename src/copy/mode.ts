/**
 * --chmod: octal, or symbolic as chmod(1) with umask 0. A symbolic change applies to what is copied; folders that the
 * copy makes itself take only octal modes, without setuid, setgid and sticky (BuildKit's behaviour).
 */
import { TsbuildError } from '../errors.ts';
import type { ModeRule } from './copy.ts';

type ModeChange = { readonly kind: 'octal'; readonly mode: number } | { readonly kind: 'symbolic'; readonly text: string };

const MADE_FOLDERS = 0o755;
const CLAUSE = /^([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)$/;

/** Throws COPY_FAILED when a symbolic text is none. */
export function modeChange(change: ModeChange): ModeRule {
  if (change.kind === 'octal') return { apply: () => change.mode, madeFolders: change.mode & 0o777 };
  const clauses = change.text.split(',').map((clause) => readClause(clause, change.text));
  return {
    apply: (mode, type) => clauses.reduce((current, clause) => clause(current, type), mode),
    madeFolders: MADE_FOLDERS,
  };
}

type Clause = (mode: number, type: 'dir' | 'other') => number;

function readClause(clause: string, whole: string): Clause {
  const [, who, actions] = CLAUSE.exec(clause) ?? [];
  if (who === undefined || actions === undefined) {
    throw new TsbuildError('COPY_FAILED', `"${whole}" is no mode for --chmod`, {
      hint: 'give octal digits up to 07777, or changes like u=rwX,go=rX',
    });
  }
  const steps = [...actions.matchAll(/([-+=])([ugo]|[rwxXst]*)/g)].map(([, operator, what]) => ({ operator, what: what ?? '' }));
  const everyone = who === '' || who.includes('a');
  const classes = { u: everyone || who.includes('u'), g: everyone || who.includes('g'), o: everyone || who.includes('o') };
  const affected = (classes.u ? 0o4700 : 0) | (classes.g ? 0o2070 : 0) | (classes.o ? 0o1007 : 0);
  return (mode, type) =>
    steps.reduce((current, { operator, what }) => {
      const bits = bitsOf(what, current, type) & affected;
      if (operator === '+') return current | bits;
      if (operator === '-') return current & ~bits;
      return (current & ~affected) | bits;
    }, mode);
}

/** The bits that the letters name, for all classes; the caller keeps those of the classes that are meant. */
function bitsOf(what: string, mode: number, type: 'dir' | 'other'): number {
  if (what === 'u') return 0o111 * ((mode >> 6) & 7);
  if (what === 'g') return 0o111 * ((mode >> 3) & 7);
  if (what === 'o') return 0o111 * (mode & 7);
  let bits = 0;
  for (const letter of what) {
    if (letter === 'r') bits |= 0o444;
    else if (letter === 'w') bits |= 0o222;
    else if (letter === 'x') bits |= 0o111;
    else if (letter === 'X') bits |= type === 'dir' || (mode & 0o111) !== 0 ? 0o111 : 0;
    else if (letter === 's') bits |= 0o6000;
    else if (letter === 't') bits |= 0o1000;
  }
  return bits;
}
