/**
 * --chmod: octal, or symbolic as chmod(1) with umask 0. A symbolic change applies to what is copied; folders that the
 * copy makes itself take only octal modes, without setuid, setgid and sticky (BuildKit's behaviour). Where the chmods
 * differ it is BSD's, as in BuildKit: see `readClause`.
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
    apply: (mode, type) => clauses.reduce((current, clause) => clause(current, { mode, type }), mode),
    madeFolders: MADE_FOLDERS,
  };
}

/** What it was before the first clause. */
interface Original {
  readonly mode: number;
  readonly type: 'dir' | 'other';
}

type Clause = (mode: number, original: Original) => number;

/**
 * Unlike GNU's chmod: the sticky bit is anybody's but of `o` alone, `=` leaves it unless `t` is named, a copy (`u=g`)
 * leaves setuid and setgid, and X looks at the mode before any change.
 */
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
  const affected = (classes.u ? 0o4700 : 0) | (classes.g ? 0o2070 : 0) | (classes.o ? 0o007 : 0);
  const sticky = classes.u || classes.g ? 0o1000 : 0;
  return (mode, original) =>
    steps.reduce((current, { operator, what }) => {
      const reach = /[ugo]/.test(what) ? affected & 0o777 : affected | (what.includes('t') ? sticky : 0);
      const bits = bitsOf(what, current, original) & reach;
      if (operator === '+') return current | bits;
      if (operator === '-') return current & ~bits;
      return (current & ~reach) | bits;
    }, mode);
}

/** The bits that the letters name, for all classes; the caller keeps those of the classes that are meant. */
function bitsOf(what: string, mode: number, original: Original): number {
  if (what === 'u') return 0o111 * ((mode >> 6) & 7);
  if (what === 'g') return 0o111 * ((mode >> 3) & 7);
  if (what === 'o') return 0o111 * (mode & 7);
  let bits = 0;
  for (const letter of what) {
    if (letter === 'r') bits |= 0o444;
    else if (letter === 'w') bits |= 0o222;
    else if (letter === 'x') bits |= 0o111;
    else if (letter === 'X') bits |= original.type === 'dir' || (original.mode & 0o111) !== 0 ? 0o111 : 0;
    else if (letter === 's') bits |= 0o6000;
    else if (letter === 't') bits |= 0o1000;
  }
  return bits;
}
