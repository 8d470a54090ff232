/** The rules about variables and platforms of FROM lines: only the global ARGs count, of all stages. */
import { traceWord } from '../../dockerfile/expand.ts';
import type { Instruction, ParsedDockerfile, Scope } from '../../dockerfile/instruction.ts';
import { splitFields } from '../../dockerfile/pairs.ts';
import { parsePlatform } from '../../image/platform.ts';
import { nearest } from '../../words/nearest.ts';
import { createFaults } from '../faults.ts';
import { type GlobalArgs, globalArgs } from '../global-args.ts';
import type { PlanInputs } from '../plan.ts';
import { checkReference } from '../references.ts';
import type { Outline } from '../stages.ts';
import type { Remark } from './rules.ts';

export function fromRemarks(parsed: ParsedDockerfile, inputs: PlanInputs, { globals, escape: escapeChar }: Outline): readonly Remark[] {
  const scope = scopeOf(globals, escapeChar);
  const defaults = scopeOf(defaultArgs(parsed, inputs), escapeChar);
  return parsed.instructions.flatMap((from) => {
    if (from.keyword !== 'FROM') return [];
    const [base = '', , name = ''] = splitFields(from.args);
    const platform = from.flags.find((flag) => flag.name === 'platform')?.value ?? '';
    return [
      ...undeclared(base, from, { scope, globals }),
      ...undeclared(platform, from, { scope, globals }),
      ...invalidDefault(base, from, defaults),
      ...ofPlatform({ platform, stage: name.toLowerCase(), from, scope, inputs }),
    ];
  });
}

function scopeOf({ values }: GlobalArgs, escapeChar: Scope['escape']): Scope {
  return { escape: escapeChar, lookup: (name) => values.get(name) };
}

/** The global ARGs as they are without any build argument. */
function defaultArgs({ instructions, directives }: ParsedDockerfile, inputs: PlanInputs): GlobalArgs {
  const first = instructions.findIndex(({ keyword }) => keyword === 'FROM');
  const request = { inputs: { ...inputs, buildArgs: new Map() }, lastStage: null, faults: createFaults() };
  return globalArgs(instructions.slice(0, first), directives.escape, request);
}

function undeclared(word: string, { at }: Instruction, { scope, globals }: { scope: Scope; globals: GlobalArgs }): readonly Remark[] {
  const unset = attempt(() => traceWord(word, scope).unset) ?? [];
  const known = [...globals.values.keys(), ...globals.declared];
  return unset
    .filter((name) => !known.includes(name))
    .map((name) => {
      const close = nearest(name, known);
      const meant = close === undefined ? 'declare it above the first FROM' : `did you mean $${close}?`;
      return { rule: 'UndefinedArgInFrom', message: `no ARG above the first FROM declares $${name}: ${meant}`, at };
    });
}

function invalidDefault(base: string, { at }: Instruction, defaults: Scope): readonly Remark[] {
  if (!base.includes('$')) return [];
  const text = attempt(() => traceWord(base, defaults).text);
  if (text === undefined || isReference(text)) return [];
  const message = `without build arguments ${base} is "${text}", which is no image: give the ARG a default`;
  return [{ rule: 'InvalidDefaultArgInFrom', message, at }];
}

interface PlatformOfStage {
  readonly platform: string;
  readonly stage: string;
  readonly from: Instruction;
  readonly scope: Scope;
  readonly inputs: PlanInputs;
}

function ofPlatform({ platform, stage, from: { at }, scope, inputs }: PlatformOfStage): readonly Remark[] {
  if (platform === '') return [];
  const names = variablesOf(platform, scope);
  if (names === undefined) return [];
  if (names.length > 0) {
    const value = attempt(() => traceWord(platform, scope).text);
    if (names.some((name) => name !== 'TARGETPLATFORM') || value !== scope.lookup('TARGETPLATFORM')) return [];
    return [{ rule: 'RedundantTargetPlatform', message: `--platform=${platform} is what FROM does anyway: leave it out`, at }];
  }
  const parsed = attempt(() => parsePlatform(platform, inputs.buildPlatform));
  if (parsed === undefined || stage.includes(parsed.os) || stage.includes(parsed.architecture)) return [];
  const message = `--platform=${platform} is the same for every target: use $BUILDPLATFORM or an ARG, or name the stage after it`;
  return [{ rule: 'FromPlatformFlagConstDisallowed', message, at }];
}

/** Undefined when the word cannot be expanded. */
function variablesOf(word: string, scope: Scope): readonly string[] | undefined {
  const names = new Set<string>();
  const watching: Scope = {
    escape: scope.escape,
    lookup(name) {
      names.add(name);
      return scope.lookup(name);
    },
  };
  return attempt(() => traceWord(word, watching)) === undefined ? undefined : [...names];
}

function isReference(text: string): boolean {
  return (
    attempt(() => {
      checkReference(text);
      return true;
    }) ?? false
  );
}

/** What cannot be expanded or parsed is the planner's to report. */
function attempt<T>(work: () => T): T | undefined {
  return createFaults().collect(undefined, work) ?? undefined;
}
