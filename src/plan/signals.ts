/** The signals that STOPSIGNAL takes: Linux names with or without SIG, and numbers. Reference: github.com/moby/sys/signal. */
import { TsbuildError } from '../errors.ts';

const NAMES = new Set([
  'ABRT',
  'ALRM',
  'BUS',
  'CHLD',
  'CLD',
  'CONT',
  'FPE',
  'HUP',
  'ILL',
  'INT',
  'IO',
  'IOT',
  'KILL',
  'PIPE',
  'POLL',
  'PROF',
  'PWR',
  'QUIT',
  'SEGV',
  'STKFLT',
  'STOP',
  'SYS',
  'TERM',
  'TRAP',
  'TSTP',
  'TTIN',
  'TTOU',
  'URG',
  'USR1',
  'USR2',
  'VTALRM',
  'WINCH',
  'XCPU',
  'XFSZ',
]);

/** SIGRTMAX */
const HIGHEST = 64;

/** Throws DOCKERFILE_SEMANTICS for what no Linux knows as a signal. */
export function checkSignal(text: string): void {
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= HIGHEST) return;
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (NAMES.has(name) || /^RTMIN(\+([1-9]|1[0-5]))?$/.test(name) || /^RTMAX(-([1-9]|1[0-4]))?$/.test(name)) return;
  throw new TsbuildError('DOCKERFILE_SEMANTICS', `"${text}" is not a signal`, {
    hint: `a name such as SIGTERM, or a number from 1 to ${HIGHEST}`,
  });
}
