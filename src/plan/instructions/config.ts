/**
 * The instructions that set one field of the config, and WORKDIR, which also makes a folder.
 * Reference: BuildKit dockerfile2llb, dispatchExpose, -Volume, -User, -Workdir, -StopSignal, -Maintainer, -Onbuild.
 */
import { expandWord, expandWords } from '../../dockerfile/expand.ts';
import { triggerText } from '../../dockerfile/heredoc.ts';
import type { Instruction } from '../../dockerfile/instruction.ts';
import { splitFields } from '../../dockerfile/pairs.ts';
import { listCreatedBy } from '../created-by.ts';
import { exposedPorts } from '../expose.ts';
import { semanticError } from '../faults.ts';
import type { Step } from '../plan.ts';
import { checkSignal } from '../signals.ts';
import { absolutePath, addTrigger, joinWorkdir, setEntries } from '../stage-state.ts';
import { configStep, type Lowering } from './lowering.ts';

/** All numbers of all three protocols. */
const MOST_PORTS = 3 * 65_536;

const emptyEntry = (name: string): readonly [string, object] => [name, {}];

/** The words are sorted as they stand, before expansion: so Docker's history has them. */
export function lowerExpose(lowering: Lowering, { args }: Instruction): Step {
  const specs = [...splitFields(args)].sort().flatMap((word) => expandWords(word, lowering.scope));
  const ports: string[] = [];
  for (const spec of specs) {
    ports.push(...exposedPorts(spec));
    if (ports.length > MOST_PORTS) throw semanticError(`EXPOSE names ${ports.length} ports and more`, 'name each of them once');
  }
  if (ports.length > 0) setEntries(lowering.state, 'ExposedPorts', ports.map(emptyEntry));
  return configStep(lowering, listCreatedBy('EXPOSE', ports));
}

/** One word is one volume, also when it expands to several: unlike EXPOSE. */
export function lowerVolume(lowering: Lowering, instruction: Instruction): Step {
  const { scope, state } = lowering;
  const volumes = (instruction.json?.map((volume) => volume.trim()) ?? splitFields(instruction.args)).map((word) =>
    expandWord(word, scope),
  );
  if (volumes.includes('')) throw semanticError('a VOLUME cannot be an empty string', `${instruction.args} expands to nothing`);
  setEntries(state, 'Volumes', volumes.map(emptyEntry));
  return configStep(lowering, listCreatedBy('VOLUME', volumes));
}

/** A USER that expands to nothing is root, and then not in the config. */
export function lowerUser(lowering: Lowering, { args }: Instruction): Step {
  const user = expandWord(args, lowering.scope);
  if (user.split(':').length > 2) throw semanticError(`USER ${user} has more than one ":"`, 'write USER name or USER name:group');
  if (user === '') {
    lowering.warn(`USER ${args} expands to nothing, which is root`);
    delete lowering.state.config.User;
  } else lowering.state.config.User = user;
  return configStep(lowering, `USER ${user}`);
}

export function lowerWorkdir(lowering: Lowering, { args }: Instruction): Step {
  const { state, place, scope } = lowering;
  const written = joinWorkdir(state.config.WorkingDir, expandWord(args, scope));
  const path = absolutePath('/', written);
  state.config.WorkingDir = written;
  const createdBy = `WORKDIR ${written}`;
  if (path === '/') return configStep(lowering, createdBy);
  return { ...place, kind: 'workdir', createdBy, path, user: state.config.User ?? '' };
}

export function lowerStopSignal(lowering: Lowering, { args }: Instruction): Step {
  const signal = expandWord(args, lowering.scope);
  checkSignal(signal);
  lowering.state.config.StopSignal = signal;
  return configStep(lowering, `STOPSIGNAL ${signal}`);
}

export function lowerMaintainer(lowering: Lowering, { args }: Instruction): Step {
  lowering.state.author = args;
  return configStep(lowering, `MAINTAINER ${args}`);
}

/** Stored for the images built on this one; there is no history entry. */
export function lowerOnBuild({ state }: Lowering, instruction: Instruction): null {
  addTrigger(state, triggerText(instruction));
  return null;
}
