/**
 * Parsed instructions as a Dockerfile again: `as-written` keeps each instruction's line, `canonical` writes it anew from
 * its parts, with every flag escaped. For tests of the parser; comments and continuations are gone in both.
 */
import type { Instruction, ParsedDockerfile } from '../../src/dockerfile/instruction.ts';

export type PrintForm = 'as-written' | 'canonical';

export function printDockerfile({ directives, instructions }: ParsedDockerfile, form: PrintForm): string {
  const head = [
    `# escape=${directives.escape}`,
    ...(directives.syntax === null ? [] : [`# syntax=${directives.syntax}`]),
    ...(directives.check === null ? [] : [`# check=${directives.check}`]),
  ];
  const line = form === 'canonical' ? canonicalLine : (instruction: Instruction) => instruction.text;
  const blocks = instructions.map((one) => protectEnd(line(one), directives.escape) + bodies(one));
  return `${[...head, ...blocks].join('\n')}\n`;
}

/** ONBUILD keeps its trigger's text: the image stores it as written. */
function canonicalLine({ keyword, flags, args }: Instruction): string {
  const words = flags.map(({ name, value }) => quoteFlag(value === null ? `--${name}` : `--${name}=${value}`));
  // Else arguments that look like flags would become some.
  const separator = args.startsWith('--') ? ['--'] : [];
  return [keyword, ...words, ...separator, args].join(' ');
}

/** The backslash escapes in flags whatever the escape directive says. The two dashes have to stand bare. */
function quoteFlag(flag: string): string {
  return `--${flag.slice(2).replace(/[\\"'\s\u0085]/g, '\\$&')}`;
}

/** A lone escape character at the end would join the next line; behind it a form feed is no end, and is trimmed. */
function protectEnd(line: string, escapeChar: string): string {
  return line.endsWith(escapeChar) && !line.endsWith(escapeChar + escapeChar) ? `${line}\f` : line;
}

function bodies({ heredocs, trigger }: Instruction): string {
  return (trigger?.heredocs ?? heredocs).map(({ raw, name }) => `\n${raw}${name}`).join('');
}
