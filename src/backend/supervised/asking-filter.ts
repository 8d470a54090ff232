/** A seccomp filter that asks for some calls and lets all others be: for supervisors that help, not for those that forbid. */
import type { Instruction } from '../../sys/seccomp.ts';
import {
  type Abi,
  ALLOW,
  ASK,
  abiOf,
  end,
  filterProgram,
  IF_ANY_BIT,
  IF_EQUAL,
  loadArgument,
  loadNumber,
  type Numbers,
  numberIn,
  unless,
} from './bpf.ts';

export interface AskedCall {
  readonly numbers: Numbers;
  /** Asked for only when this argument, counted from 0, has any of these bits. */
  readonly when?: { readonly argument: number; readonly anyBit: number };
}

/** Undefined: nothing is known about this architecture. */
export function askingFilter(architecture: NodeJS.Architecture, calls: readonly AskedCall[]): readonly Instruction[] | undefined {
  const section = (abi: Abi): Instruction[] => [
    loadNumber(),
    ...calls.flatMap(({ numbers, when }) => numberIn(abi, numbers).flatMap((number) => ask(number, when))),
    end(ALLOW),
  ];
  return filterProgram(architecture, section, ALLOW);
}

function ask(number: number, when: AskedCall['when']): Instruction[] {
  if (when === undefined) return [unless(IF_EQUAL, number, 1), end(ASK)];
  return [unless(IF_EQUAL, number, 4), loadArgument(when.argument), unless(IF_ANY_BIT, when.anyBit, 1), end(ASK), end(ALLOW)];
}

/** The name of a call among `calls`, as a notification tells it. */
export function askedName<Name extends string>(
  calls: Readonly<Record<Name, AskedCall>>,
  architecture: NodeJS.Architecture,
  { arch, number }: { readonly arch: number; readonly number: number },
): Name | undefined {
  const abi = abiOf(architecture, arch);
  if (abi === undefined) return undefined;
  return (Object.keys(calls) as Name[]).find((name) => numberIn(abi, calls[name].numbers).includes(number));
}
