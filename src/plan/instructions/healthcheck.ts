/** HEALTHCHECK. Reference: BuildKit instructions/parse.go, parseHealthcheck. */
import type { Instruction } from '../../dockerfile/instruction.ts';
import type { Healthcheck } from '../../image/image.ts';
import { healthcheckCreatedBy } from '../created-by.ts';
import { parseDuration } from '../durations.ts';
import { about, semanticError } from '../faults.ts';
import type { Step } from '../plan.ts';
import { configStep, flagValue, type Lowering } from './lowering.ts';

/** Docker's shortest: 1 ms. */
const SHORTEST = 1e6;

const TIMES = [
  ['Interval', 'interval'],
  ['Timeout', 'timeout'],
  ['StartPeriod', 'start-period'],
  ['StartInterval', 'start-interval'],
] as const;

/** Fields that are zero are left out. Throws DOCKERFILE_SEMANTICS. */
export function parseHealthcheck(instruction: Instruction): Healthcheck {
  const { args, json } = instruction;
  if (args.toUpperCase() === 'NONE') return { Test: ['NONE'] };
  const test = json === null ? ['CMD-SHELL', args.replace(/^\S+[\t\v\f\r ]+/, '')] : ['CMD', ...json];
  const check: { -readonly [K in keyof Healthcheck]: Healthcheck[K] } = { Test: test };
  for (const [field, flag] of TIMES) {
    const time = duration(instruction, flag);
    if (time !== 0) check[field] = time;
  }
  const retries = flagValue(instruction, 'retries') ?? '0';
  if (!/^\+?\d+$/.test(retries) || Number(retries) > 0x7fffffff)
    throw semanticError(`--retries is not a count: "${retries}"`, 'a whole number from 0');
  if (Number(retries) !== 0) check.Retries = Number(retries);
  return check;
}

export function lowerHealthcheck(lowering: Lowering, instruction: Instruction): Step {
  const check = parseHealthcheck(instruction);
  lowering.state.config.Healthcheck = check;
  return configStep(lowering, healthcheckCreatedBy(check));
}

function duration(instruction: Instruction, flag: string): number {
  const text = flagValue(instruction, flag);
  if (text === null) return 0;
  const time = about(`--${flag}`, () => parseDuration(text));
  if (time !== 0 && time < SHORTEST) throw semanticError(`--${flag}=${text} is less than 1ms`, 'leave it out, or give 0, for the default');
  return time;
}
