/**
 * Ends a run with how many tests were skipped, in which files and why, so that a green run on a bare machine cannot be mistaken for
 * a full one. One line for each reason: what is cut off a long log is its beginning, and that must not be what failed.
 */
import type { TestCase, TestModule, TestSuite } from 'vitest/node';
import type { Reporter } from 'vitest/reporters';

const OWN_CONDITION = 'its own condition (see test.skipIf there)';

function fromTitles(test: TestCase): string | undefined {
  let at: TestCase | TestSuite | TestModule = test;
  while (at.type !== 'module') {
    const reason = /\(skipped: (.*)\)$/.exec(at.name)?.[1];
    if (reason !== undefined) return reason;
    at = at.parent;
  }
  return undefined;
}

/** reason -> file -> count */
function countSkipped(modules: readonly TestModule[]): Map<string, Map<string, number>> {
  const reasons = new Map<string, Map<string, number>>();
  for (const module of modules) {
    for (const test of module.children.allTests('skipped')) {
      const result = test.result();
      const reason = (result.state === 'skipped' ? result.note : undefined) ?? fromTitles(test) ?? OWN_CONDITION;
      const files = reasons.get(reason) ?? new Map<string, number>();
      reasons.set(reason, files);
      files.set(module.relativeModuleId, (files.get(module.relativeModuleId) ?? 0) + 1);
    }
  }
  return reasons;
}

function skippedText(modules: readonly TestModule[]): string {
  const reasons = countSkipped(modules);
  const total = (files: ReadonlyMap<string, number>): number => [...files.values()].reduce((sum, count) => sum + count, 0);
  const lines = [...reasons]
    .sort(([, one], [, other]) => total(other) - total(one))
    .map(([reason, files]) => `  ${total(files)}: ${reason}: ${[...files].map(([file, count]) => `${file} (${count})`).join(', ')}\n`);
  return lines.length === 0 ? '' : `\nSkipped:\n${lines.join('')}`;
}

export function skippedReporter(): Reporter {
  return { onTestRunEnd: (modules) => void process.stdout.write(skippedText(modules)) };
}
