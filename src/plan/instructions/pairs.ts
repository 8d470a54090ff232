/** ENV, LABEL and ARG. Reference: BuildKit dockerfile2llb, dispatchEnv, dispatchLabel, dispatchArg. */
import { expandWord } from '../../dockerfile/expand.ts';
import type { Instruction } from '../../dockerfile/instruction.ts';
import { splitPairs } from '../../dockerfile/pairs.ts';
import { pairsCreatedBy } from '../created-by.ts';
import { semanticError } from '../faults.ts';
import type { Step } from '../plan.ts';
import { declareArg, setEntries, setEnv } from '../stage-state.ts';
import { configStep, type Lowering } from './lowering.ts';

export function lowerEnv(lowering: Lowering, instruction: Instruction): Step {
  const pairs = expandedPairs('ENV', lowering, instruction);
  for (const [name, value] of pairs) setEnv(lowering.state, name, value);
  return configStep(lowering, pairsCreatedBy('ENV', pairs));
}

export function lowerLabel(lowering: Lowering, instruction: Instruction): Step {
  const pairs = expandedPairs('LABEL', lowering, instruction);
  setEntries(lowering.state, 'Labels', pairs);
  return configStep(lowering, pairsCreatedBy('LABEL', pairs));
}

/** Each value sees the ARGs before it on the same line. The command line beats the default, which beats the global ARG. */
export function lowerArg(lowering: Lowering, { args }: Instruction): Step {
  const { state, scope, globals, buildArgs } = lowering;
  const declared: (readonly [string, string | null])[] = [];
  for (const { name, value: written } of splitPairs('ARG', args, scope.escape)) {
    const value = buildArgs.get(name) ?? (written === null ? globals.values.get(name) : expandWord(written, scope));
    declareArg(state, name, value ?? null);
    declared.push([name, value ?? null]);
  }
  return configStep(lowering, pairsCreatedBy('ARG', declared));
}

/** Every word sees the values from before the line. */
function expandedPairs(keyword: 'ENV' | 'LABEL', { scope }: Lowering, { args }: Instruction): readonly (readonly [string, string])[] {
  return splitPairs(keyword, args, scope.escape).map(({ name, value }) => {
    const expanded = expandWord(name, scope);
    if (expanded === '') throw semanticError(`${keyword} has an empty name: ${name} expands to nothing`);
    return [expanded, expandWord(value ?? '', scope)];
  });
}
