/**
 * The rules of Docker's build checks: their names, which are off unless asked for, and where each is explained. What a
 * rule looks at is in the files beside this one. Source: https://docs.docker.com/reference/build-checks/.
 */
import type { SourceRange } from '../../errors.ts';

const RULES = {
  ConsistentInstructionCasing: 'on',
  CopyIgnoredFile: 'experimental',
  DuplicateStageName: 'on',
  ExposeInvalidFormat: 'on',
  ExposeProtoCasing: 'on',
  FromAsCasing: 'on',
  FromPlatformFlagConstDisallowed: 'on',
  InvalidDefaultArgInFrom: 'on',
  InvalidDefinitionDescription: 'experimental',
  JSONArgsRecommended: 'on',
  LegacyKeyValueFormat: 'on',
  MaintainerDeprecated: 'on',
  MultipleInstructionsDisallowed: 'on',
  NoEmptyContinuation: 'on',
  RedundantTargetPlatform: 'on',
  ReservedStageName: 'on',
  SecretsUsedInArgOrEnv: 'on',
  StageNameCasing: 'on',
  UndefinedArgInFrom: 'on',
  UndefinedVar: 'on',
  WorkdirRelativePath: 'on',
} as const;

export type RuleName = keyof typeof RULES;

/** Something that is legal and probably not meant. */
export interface Finding {
  readonly rule: RuleName;
  readonly message: string;
  readonly at: SourceRange;
  /** Docker's page about the rule. */
  readonly url: string;
}

/** What the file of a rule says; the rest of the finding follows from it. */
export type Remark = Pick<Finding, 'rule' | 'message' | 'at'>;

export const RULE_NAMES: readonly RuleName[] = Object.keys(RULES) as RuleName[];

export function isExperimental(rule: RuleName): boolean {
  return RULES[rule] === 'experimental';
}

export function findingOf(remark: Remark): Finding {
  const page = remark.rule.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '-').toLowerCase();
  return { ...remark, url: `https://docs.docker.com/go/dockerfile/rule/${page}/` };
}
