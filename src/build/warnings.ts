/** What the parser, the planner and the checks say of a Dockerfile that can be built, as warnings: each thing once. */
import type { TsbuildError } from '../errors.ts';
import type { Finding } from '../plan/checks/rules.ts';
import type { BuildEvent } from './events.ts';

type Warning = Extract<BuildEvent, { readonly type: 'warning' }>;

/** In the order of lines. A finding that begins with the words of a warning of its line says the same and more. */
export function warningsOf(plain: readonly TsbuildError[], findings: readonly Finding[]): readonly Warning[] {
  const isSaid = ({ message, at }: TsbuildError): boolean =>
    findings.some((finding) => finding.at.startLine === at?.startLine && finding.message.startsWith(message));
  const warnings = [
    ...plain
      .filter((warning) => !isSaid(warning))
      .map(({ message, hint, at }): Warning => {
        const text = hint === undefined ? message : `${message} (${hint})`;
        return { type: 'warning', message: text, ...(at === undefined ? {} : { at }) };
      }),
    ...findings.map(({ rule, message, at, url }): Warning => ({ type: 'warning', message, at, rule, url })),
  ];
  return warnings.sort((a, b) => (a.at?.startLine ?? 0) - (b.at?.startLine ?? 0));
}
