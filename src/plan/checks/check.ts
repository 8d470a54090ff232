/**
 * Docker's build checks as one pure function: what is legal in a Dockerfile and probably not meant. Whether a finding
 * fails the build, and how it is shown, is the caller's.
 */
import type { ParsedDockerfile } from '../../dockerfile/instruction.ts';
import { TsbuildError, TsbuildErrors } from '../../errors.ts';
import { createFaults } from '../faults.ts';
import { lowerStages } from '../lower-stages.ts';
import { survey } from '../outline.ts';
import type { BaseConfigs, PlanInputs } from '../plan.ts';
import { type CheckOptions, isAskedFor } from './check-options.ts';
import { fromRemarks } from './from-rules.ts';
import { type Finding, findingOf } from './rules.ts';
import { textRemarks } from './text-rules.ts';

export interface CheckWorld {
  /** Configs of bases; what depends on one that is missing is not judged. */
  readonly known: BaseConfigs;
  /** True for a path of the context that its ignore file leaves out whole; null: the context is not known. */
  readonly ignores: ((path: string) => boolean) | null;
}

/**
 * In the order of lines, each once. Rules about whole files look at all stages; those about values look at the stages
 * that the target needs, as in Docker. The file has no faults.
 */
export function checkDockerfile(
  parsed: ParsedDockerfile,
  inputs: PlanInputs,
  world: CheckWorld & { options: CheckOptions },
): readonly Finding[] {
  const { known, ignores, options } = world;
  // The planner's faults end the build; here they only hide what comes after them.
  const faults = createFaults();
  const { outline, reached } = survey(parsed, inputs, { known, faults });
  const { remarks } = lowerStages({ outline, reached, inputs, known, faults, ignores });
  const found = new Map<string, Finding>();
  for (const remark of [...textRemarks(parsed), ...fromRemarks(parsed, inputs, outline), ...remarks]) {
    const finding = findingOf(remark);
    if (isAskedFor(finding.rule, options)) found.set(JSON.stringify([finding.rule, finding.at.startLine, finding.message]), finding);
  }
  return [...found.values()].sort((a, b) => a.at.startLine - b.at.startLine);
}

/** What a build with `error=true` ends with: the rules, then each finding with its place. */
export function checksFailed(findings: readonly Finding[]): TsbuildErrors {
  const rules = [...new Set(findings.map(({ rule }) => rule))].sort();
  return new TsbuildErrors([
    new TsbuildError('CHECKS_FAILED', `lint violation found for rules: ${rules.join(', ')}`, {
      hint: `the check directive asks to fail for them (error=true); mend them, or add skip=${rules.join(',')}`,
    }),
    ...findings.map(({ message, rule, at }) => new TsbuildError('CHECKS_FAILED', `${message} (${rule})`, { at })),
  ]);
}
