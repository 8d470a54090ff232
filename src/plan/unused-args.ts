/** Build arguments that nothing declares: most are typing mistakes, so each gets a warning with the nearest name. */
import { TsbuildError } from '../errors.ts';
import { isPredefinedArg } from './global-args.ts';
import type { Trigger } from './reach.ts';
import { argNames, type Outline } from './stages.ts';
import { suggest } from './suggest.ts';

/** `triggers`: those of the bases, which may declare ARGs of their own. */
export function unusedArgs(
  outline: Outline,
  triggers: Iterable<readonly Trigger[]>,
  buildArgs: ReadonlyMap<string, string>,
): readonly TsbuildError[] {
  const written = [...outline.stages.flatMap((stage) => stage.instructions), ...[...triggers].flat().map(({ instruction }) => instruction)];
  const declared = new Set([...outline.globals.declared, ...argNames(written, outline.escape)]);
  return [...buildArgs.keys()]
    .filter((name) => !declared.has(name) && !isPredefinedArg(name))
    .map((name) => {
      const hint = suggest(name, [...declared], 'the file declares');
      return new TsbuildError('DOCKERFILE_SEMANTICS', `--build-arg ${name} is not used: no ARG declares it`, { hint });
    });
}
