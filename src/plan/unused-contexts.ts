/** Names of --build-context that nothing in the file has: most are typing mistakes, so each gets a warning with the nearest name. */
import { TsbuildError } from '../errors.ts';
import { nameKeyOrNull } from './named-contexts.ts';
import type { PlanInputs } from './plan.ts';
import { references, type Trigger } from './reach.ts';
import type { Outline } from './stages.ts';
import { suggest } from './suggest.ts';

/** `triggers`: those of the bases, which may name contexts, too. A context for one platform is used by a build for another. */
export function unusedContexts(
  outline: Outline,
  triggers: Iterable<readonly Trigger[]>,
  contexts: PlanInputs['contexts'],
): readonly TsbuildError[] {
  const instructions = [...outline.stages.flatMap((stage) => stage.instructions), ...[...triggers].flat().map((t) => t.instruction)];
  const names = new Set([
    ...outline.stages.flatMap(({ name, baseName }) => [name, baseName].filter((one) => one !== null)),
    ...instructions.flatMap(references).map(({ from }) => from),
  ]);
  const used = new Set([...names].map(nameKeyOrNull));
  return [...contexts.keys()]
    .filter((key) => !used.has(key.replace(/::.*$/, '')))
    .map((key) => {
      const hint = suggest(key, [...names], 'the file names');
      return new TsbuildError('DOCKERFILE_SEMANTICS', `--build-context ${key} is not used: no FROM, stage or from= has this name`, {
        hint,
      });
    });
}
