/** One instruction to one step: only the choice of the family's function. */
import type { Instruction } from '../../dockerfile/instruction.ts';
import { semanticError } from '../faults.ts';
import type { Step } from '../plan.ts';
import { lowerCmd, lowerEntrypoint, lowerShell } from './command.ts';
import { lowerExpose, lowerMaintainer, lowerOnBuild, lowerStopSignal, lowerUser, lowerVolume, lowerWorkdir } from './config.ts';
import { lowerCopy } from './copy.ts';
import { lowerHealthcheck } from './healthcheck.ts';
import type { Lowering } from './lowering.ts';
import { lowerArg, lowerEnv, lowerLabel } from './pairs.ts';
import { lowerRun } from './run.ts';

/** Null where history has no entry (ONBUILD). Throws DOCKERFILE_SEMANTICS, NOT_SUPPORTED. */
export function lowerInstruction(lowering: Lowering, instruction: Instruction): Step | null {
  const { keyword } = instruction;
  switch (keyword) {
    case 'ADD':
    case 'COPY':
      return lowerCopy(lowering, { ...instruction, keyword });
    case 'ARG':
      return lowerArg(lowering, instruction);
    case 'CMD':
      return lowerCmd(lowering, instruction);
    case 'ENTRYPOINT':
      return lowerEntrypoint(lowering, instruction);
    case 'ENV':
      return lowerEnv(lowering, instruction);
    case 'EXPOSE':
      return lowerExpose(lowering, instruction);
    case 'HEALTHCHECK':
      return lowerHealthcheck(lowering, instruction);
    case 'LABEL':
      return lowerLabel(lowering, instruction);
    case 'MAINTAINER':
      return lowerMaintainer(lowering, instruction);
    case 'ONBUILD':
      return lowerOnBuild(lowering, instruction);
    case 'RUN':
      return lowerRun(lowering, instruction);
    case 'SHELL':
      return lowerShell(lowering, instruction);
    case 'STOPSIGNAL':
      return lowerStopSignal(lowering, instruction);
    case 'USER':
      return lowerUser(lowering, instruction);
    case 'VOLUME':
      return lowerVolume(lowering, instruction);
    case 'WORKDIR':
      return lowerWorkdir(lowering, instruction);
    case 'FROM':
      throw semanticError('FROM cannot stand within a stage');
  }
}
