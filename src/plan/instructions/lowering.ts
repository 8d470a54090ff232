/** What the lowering of one instruction may use. Each instruction family is one file beside this one. */
import type { Instruction, Scope } from '../../dockerfile/instruction.ts';
import type { SourceRange } from '../../errors.ts';
import type { GlobalArgs } from '../global-args.ts';
import type { FromOption } from '../origins.ts';
import type { ConfigStep, Origin } from '../plan.ts';
import type { StageState } from '../stage-state.ts';

export interface Lowering {
  /** Changed in place. */
  readonly state: StageState;
  /** The variables in force; of ENV and LABEL, those before the line. */
  readonly scope: Scope;
  readonly globals: GlobalArgs;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly place: { readonly at: SourceRange; readonly title: string; readonly onBuild: boolean };
  /** Throws DOCKERFILE_SEMANTICS. */
  origin(from: string, option: FromOption): Origin;
  warn(message: string, hint?: string): void;
}

export function configStep({ place }: Lowering, createdBy: string): ConfigStep {
  return { ...place, kind: 'config', createdBy };
}

/** Null for a flag that is not there or is empty, as `--chown=`. */
export function flagValue({ flags }: Instruction, name: string): string | null {
  return flags.find((flag) => flag.name === name)?.value || null;
}

/** True for `--name` and `--name=true`; null when it is not there. */
export function flagSwitch({ flags }: Instruction, name: string): boolean | null {
  const flag = flags.find((candidate) => candidate.name === name);
  return flag === undefined ? null : flag.value === null || flag.value.toLowerCase() === 'true';
}

/** The shell or exec form of an instruction as argv. */
export function commandLine({ args, json }: Instruction, shell: readonly string[]): readonly string[] {
  return json ?? [...shell, args];
}
