/** When a heredoc that runs as a script gets the warning that it goes on after a failure. */
import { describe, expect, it } from 'vitest';
import { hasUncheckedCommands } from '../../../src/plan/unchecked-commands.ts';

const SH = ['/bin/sh', '-c'];

describe('a script goes on after a command that failed', () => {
  it.each([
    ['when it has two commands', SH, 'a\nb\n'],
    ['also behind comments and blank lines', SH, '# c\n\na\n  # d\n\nb'],
    ['also within if and for', SH, 'for i in 1 2; do\n  a\ndone\n'],
    ['when set is given other options', SH, 'set -u\nset -o pipefail\na\nb\n'],
    ['when -e only stands in another command', SH, 'grep -e x /y\nset-e\n'],
    ['in bash too', ['bash', '-o', 'pipefail', '-c'], 'a\nb\n'],
    ['behind the heredoc of a command', SH, 'cat <<X > /y\nX\na\n'],
  ])('%s', (_, shell, script) => {
    expect(hasUncheckedCommands(shell, script)).toBe(true);
  });
});

describe('a script does not go on', () => {
  it.each([
    ['behind set -e', SH, 'set -e\na\nb\n'],
    ['behind set with several options', SH, '\n# c\n  set -eux; a\nb\n'],
    ['behind set -o errexit', SH, 'set -u -o errexit\na\nb\n'],
    ['when the shell is given -e', ['/bin/bash', '-euo', 'pipefail', '-c'], 'a\nb\n'],
    ['when the shell is given errexit', ['/bin/bash', '-o', 'errexit', '-c'], 'a\nb\n'],
    ['when it has one command', SH, '# only this\na b c\n\n'],
    ['when it has none', SH, ''],
    ['over lines that operators and backslashes join', SH, 'a && \\\n  b &&\n  c |\nd\n'],
    ['within quotes', SH, 'echo "a\nb" \'c\nd\' \\"e\n'],
    ['within the heredoc of a command', SH, "cat <<'X' > /y\na\nb\nX\n"],
    ['in what is no shell', ['/usr/bin/awk'], 'BEGIN {\n}\n'],
    ['in PowerShell', ['pwsh', '-Command'], 'a\nb\n'],
  ])('%s', (_, shell, script) => {
    expect(hasUncheckedCommands(shell, script)).toBe(false);
  });
});
