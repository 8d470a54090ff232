/** Build arguments without effect. Most that nothing declares are typing mistakes, so each gets a warning with the nearest name. */
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
  const triggered = [...triggers].flat().map(({ instruction }) => instruction);
  const declared = new Set([...outline.globals.declared, ...outline.stageArgs, ...argNames(triggered, outline.escape)]);
  return [...undatedImage(buildArgs), ...undeclared(buildArgs, declared)];
}

/** BuildKit takes the image's dates from it. */
function undatedImage(buildArgs: ReadonlyMap<string, string>): readonly TsbuildError[] {
  if ((buildArgs.get('SOURCE_DATE_EPOCH') ?? '') === '') return [];
  const message =
    '--build-arg SOURCE_DATE_EPOCH is only a variable here: what dates an image is --reproducible, with this variable in the environment';
  return [new TsbuildError('DOCKERFILE_SEMANTICS', message)];
}

function undeclared(buildArgs: ReadonlyMap<string, string>, declared: ReadonlySet<string>): readonly TsbuildError[] {
  return [...buildArgs.keys()]
    .filter((name) => !declared.has(name) && !isPredefinedArg(name))
    .map((name) => {
      const hint = suggest(name, [...declared], 'the file declares');
      return new TsbuildError('DOCKERFILE_SEMANTICS', `--build-arg ${name} is not used: no ARG declares it`, { hint });
    });
}
