/**
 * Whether a script that a shell runs goes on after a command that failed, as a heredoc's body does: there is no `set -e`
 * by itself. A rough reading of sh, for a warning only: when in doubt it says no.
 */

const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'mksh']);
const ERREXIT_OPTION = /^-[a-z]*e[a-z]*$|^errexit$/i;
const SET_ERREXIT = /^[ \t]*set[ \t]+(?:[^\n#;&|]*[ \t])?(?:-[a-zA-Z]*e[a-zA-Z]*|errexit)(?![\w-])/;
/** Of a line that is longer, only the beginning is looked at: the expression's cost may grow with the square of the length. */
const LONGEST_SET = 1000;

/** True when `shell` (the argv before the script) knows `set -e`, nothing sets it, and there is more than one command. */
export function hasUncheckedCommands(shell: readonly string[], script: string): boolean {
  const [program = '', ...options] = shell;
  if (!SHELLS.has(program.slice(program.lastIndexOf('/') + 1))) return false;
  if (options.some((option) => ERREXIT_OPTION.test(option)) || script.split('\n').some(setsErrexit)) return false;
  return hasSeveralCommands(withoutHeredocs(script));
}

function setsErrexit(line: string): boolean {
  return SET_ERREXIT.test(line.slice(0, LONGEST_SET));
}

/** Whether there is more than one: lines, with those joined that a quote, a backslash or an operator carries on. */
function hasSeveralCommands(script: string): boolean {
  let ended = 0;
  /** The last character of the command so far; '' when it has none. */
  let last = '';
  /** The last one that is no blank. */
  let solid = '';
  let quote = '';
  const take = (char: string): void => {
    last = char;
    if (!/\s/.test(char)) solid = char;
  };
  for (let at = 0; at < script.length && ended < 2; at++) {
    const char = script.charAt(at);
    if (char === '\\' && quote !== "'") {
      take(char);
      take(script.charAt(++at));
    } else if (quote === '' && char === '#' && /^\s?$/.test(last)) {
      while (at + 1 < script.length && script.charAt(at + 1) !== '\n') at++;
    } else if (quote === '' && char === '\n' && solid !== '&' && solid !== '|') {
      if (solid !== '') ended++;
      last = '';
      solid = '';
    } else {
      if (quote === '' && (char === '"' || char === "'")) quote = char;
      else if (char === quote) quote = '';
      take(char);
    }
  }
  return ended + (solid === '' ? 0 : 1) > 1;
}

function withoutHeredocs(script: string): string {
  const kept: string[] = [];
  let terminator: string | undefined;
  for (const line of script.split('\n')) {
    if (terminator === undefined) {
      kept.push(line);
      terminator = /(?:^|[^<])<<-?[ \t]*["'\\]?(\w+)/.exec(line)?.[1];
    } else if (line.trim() === terminator) terminator = undefined;
  }
  return kept.join('\n');
}
