/** Ends a run with the tests that were skipped and why, so that a green run on a bare machine cannot be mistaken for a full one. */
import type { TestCase, TestModule, TestSuite } from 'vitest/node';
import type { Reporter } from 'vitest/reporters';

function fromTitles(test: TestCase): string | undefined {
  let at: TestCase | TestSuite | TestModule = test;
  while (at.type !== 'module') {
    const reason = /\(skipped: (.*)\)$/.exec(at.name)?.[1];
    if (reason !== undefined) return reason;
    at = at.parent;
  }
  return undefined;
}

export function skippedReporter(): Reporter {
  return {
    onTestRunEnd(modules) {
      const byReason = new Map<string, string[]>();
      for (const module of modules) {
        for (const test of module.children.allTests('skipped')) {
          const result = test.result();
          const reason =
            (result.state === 'skipped' ? result.note : undefined) ?? fromTitles(test) ?? 'its own condition (see test.skipIf there)';
          const list = byReason.get(reason) ?? [];
          list.push(`${module.relativeModuleId}: ${test.fullName}`);
          byReason.set(reason, list);
        }
      }
      if (byReason.size === 0) return;
      const lines = [...byReason].flatMap(([reason, tests]) => [`  ${reason}`, ...tests.map((t) => `    - ${t}`)]);
      process.stdout.write(`\nSkipped:\n${lines.join('\n')}\n`);
    },
  };
}
