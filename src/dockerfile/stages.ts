/**
 * Whether the instructions stand where they may: a FROM first, and only ARG before it. Knows nothing of their content.
 * Source: https://docs.docker.com/reference/dockerfile/#format.
 */
import type { SourceRange } from '../errors.ts';
import { type Findings, syntaxError } from './findings.ts';
import type { Keyword } from './instruction.ts';

/** One instruction of the file. */
export interface Outline {
  /** For an unknown instruction, what it was meant to be, so that one mistake is not reported twice. */
  readonly keyword: Keyword | undefined;
  readonly at: SourceRange;
  /** An unknown word that may be a mistyped FROM. */
  readonly resemblesFrom: boolean;
}

export function checkStages(outline: readonly Outline[], file: string, findings: Findings): void {
  const start = { file, startLine: 1, endLine: 1 };
  const hint = 'A Dockerfile begins with FROM; only ARG can stand before it.';
  if (outline.length === 0) {
    findings.errors.push(syntaxError({ message: 'the file has no instructions', hint }, start));
    return;
  }
  const firstFrom = outline.findIndex(({ keyword }) => keyword === 'FROM');
  const early = outline.find(({ keyword }, index) => keyword !== 'ARG' && keyword !== undefined && (firstFrom < 0 || index < firstFrom));
  if (firstFrom < 0) findings.errors.push(syntaxError({ message: 'the file has no FROM', hint }, early?.at ?? outline[0]?.at ?? start));
  else if (early !== undefined)
    findings.errors.push(syntaxError({ message: `${early.keyword} stands before the first FROM`, hint }, early.at));
}
