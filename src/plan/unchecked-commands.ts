/**
 * Whether a script that a shell runs goes on after a command that failed, as a heredoc's body does: there is no `set -e`
 * by itself. A rough reading of sh, for a warning only: when in doubt it says no.
 */

const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'mksh']);
const ERREXIT_OPTION = /^-[a-z]*e[a-z]*$|^errexit$/i;
const SET_ERREXIT = /^[ \t]*set[ \t]+(?:[^\n#;&|]*[ \t])?(?:-[a-zA-Z]*e[a-zA-Z]*|errexit)(?![\w-])/m;

/** True when `shell` (the argv before the script) knows `set -e`, nothing sets it, and there is more than one command. */
export function hasUncheckedCommands(shell: readonly string[], script: string): boolean {
  const [program = '', ...options] = shell;
  if (!SHELLS.has(program.slice(program.lastIndexOf('/') + 1))) return false;
  if (options.some((option) => ERREXIT_OPTION.test(option)) || SET_ERREXIT.test(script)) return false;
  return commands(withoutHeredocs(script)).length > 1;
}

/** The lines, with those joined that a quote, a backslash or an operator carries on. */
function commands(script: string): readonly string[] {
  const found: string[] = [];
  let command = '';
  let quote = '';
  const end = (): void => {
    if (command.trim() !== '') found.push(command);
    command = '';
  };
  for (let at = 0; at < script.length; at++) {
    const char = script.charAt(at);
    if (char === '\\' && quote !== "'") {
      command += char + script.charAt(++at);
    } else if (quote === '' && char === '#' && /(?:^|\s)$/.test(command)) {
      while (at + 1 < script.length && script.charAt(at + 1) !== '\n') at++;
    } else if (quote === '' && char === '\n' && !/[&|]\s*$/.test(command)) end();
    else {
      if (quote === '' && (char === '"' || char === "'")) quote = char;
      else if (char === quote) quote = '';
      command += char;
    }
  }
  end();
  return found;
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
