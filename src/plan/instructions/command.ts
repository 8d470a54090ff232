/** CMD, ENTRYPOINT and SHELL. Reference: BuildKit dockerfile2llb, dispatchCmd, dispatchEntrypoint, dispatchShell. */
import type { Instruction } from '../../dockerfile/instruction.ts';
import { commandCreatedBy, listCreatedBy } from '../created-by.ts';
import type { Step } from '../plan.ts';
import { setList, shellOf } from '../stage-state.ts';
import { commandLine, configStep, type Lowering } from './lowering.ts';

export function lowerCmd(lowering: Lowering, instruction: Instruction): Step {
  const { state } = lowering;
  const argv = commandLine(instruction, shellOf(state));
  setList(state, 'Cmd', argv);
  state.commandSet = true;
  // Means something on Windows only; BuildKit sets it for CMD, not for ENTRYPOINT.
  state.config.ArgsEscaped = true;
  return configStep(lowering, commandCreatedBy('CMD', argv));
}

/** A CMD that came from the base does not fit a new ENTRYPOINT and goes; one set in this stage stays. */
export function lowerEntrypoint(lowering: Lowering, instruction: Instruction): Step {
  const { state } = lowering;
  const argv = commandLine(instruction, shellOf(state));
  setList(state, 'Entrypoint', argv);
  if (!state.commandSet) setList(state, 'Cmd', []);
  return configStep(lowering, commandCreatedBy('ENTRYPOINT', argv));
}

export function lowerShell(lowering: Lowering, { json }: Instruction): Step {
  const shell = json ?? [];
  if (shell.length === 0) throw new Error('the parser let a SHELL without strings pass');
  lowering.state.config.Shell = shell;
  return configStep(lowering, listCreatedBy('SHELL', shell));
}
