/** UndefinedVar: variables that an instruction uses although neither ENV nor ARG nor the base image sets them. */
import type { Instruction } from '../../dockerfile/instruction.ts';
import type { TsbuildError } from '../../errors.ts';
import { nearest } from '../../words/nearest.ts';
import type { Remark } from './rules.ts';

/** Set by frontends, not by files. */
const NEVER_SET = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE']);

/** So many variables, the latest, are looked at for a name that is near: files may have thousands of both. */
const MOST_CANDIDATES = 100;

interface Surroundings {
  /** Variables that are set. */
  readonly known: Iterable<string>;
  /** ARGs above the first FROM. */
  readonly globals: ReadonlySet<string>;
  /** What the planner said of the same instruction. */
  readonly warnings: readonly TsbuildError[];
}

export function unsetRemarks(
  { at }: Instruction,
  unset: ReadonlySet<string>,
  { known, globals, warnings }: Surroundings,
): readonly Remark[] {
  const names = [...unset].filter((name) => !NEVER_SET.has(name));
  if (names.length === 0) return [];
  // What comes of it says more than the rule: the remark begins with it, and stands for both.
  const outcome = warnings.find(({ message }) => message.includes('expands to nothing'))?.message;
  const candidates = [...known].slice(-MOST_CANDIDATES);
  return names.map((name) => {
    const close = nearest(name, candidates);
    const remedy = globals.has(name)
      ? `: an ARG above the first FROM is known only where "ARG ${name}" repeats it`
      : close === undefined
        ? ''
        : `: did you mean $${close}?`;
    const cause = `$${name} is not set${remedy}`;
    return { rule: 'UndefinedVar', message: outcome === undefined ? cause : `${outcome}, as ${cause}`, at };
  });
}
