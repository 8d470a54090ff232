/**
 * Which rules are asked for, and whether a finding fails the build: `# check=skip=A,B;error=true`, or the build argument
 * BUILDKIT_DOCKERFILE_CHECK, which replaces the directive. Reference: BuildKit linter.ParseLintOptions.
 */
import type { ParsedDockerfile } from '../../dockerfile/instruction.ts';
import { type SourceRange, TsbuildError } from '../../errors.ts';
import { nearest } from '../../words/nearest.ts';
import { semanticError } from '../faults.ts';
import type { PlanInputs } from '../plan.ts';
import { isExperimental, RULE_NAMES, type RuleName } from './rules.ts';

const ARGUMENT = 'BUILDKIT_DOCKERFILE_CHECK';

export interface CheckOptions {
  readonly skip: ReadonlySet<string> | 'all';
  /** `skip` has no say over these. */
  readonly experimental: ReadonlySet<string> | 'all';
  readonly findings: 'warn' | 'fail';
  /** About rules that there are not. */
  readonly warnings: readonly TsbuildError[];
}

/** Throws DOCKERFILE_SEMANTICS for what is no option. */
export function checkOptions(parsed: ParsedDockerfile, { buildArgs }: Pick<PlanInputs, 'buildArgs'>): CheckOptions {
  const given = buildArgs.get(ARGUMENT);
  const { text, at, what } =
    given === undefined
      ? { text: parsed.directives.check ?? '', at: directivePlace(parsed), what: 'the check directive' }
      : { text: given, at: undefined, what: `the build argument ${ARGUMENT}` };
  const values = readOptions(text, what, at);
  const skip = ruleSet(values.get('skip'));
  const experimental = ruleSet(values.get('experimental'));
  const unknown = [skip, experimental].flatMap((names) => (names === 'all' ? [] : [...names].filter((name) => !isRule(name))));
  return {
    skip,
    experimental,
    findings: isTrue(values.get('error') ?? 'false', what, at) ? 'fail' : 'warn',
    warnings: unknown.map((name) => {
      const close = nearest(name, RULE_NAMES);
      const meant = close === undefined ? '' : `: did you mean ${close}?`;
      return new TsbuildError('DOCKERFILE_SEMANTICS', `${what} names the rule ${name}, which there is not${meant}`, { at });
    }),
  };
}

export function isAskedFor(rule: RuleName, { skip, experimental }: CheckOptions): boolean {
  const names = isExperimental(rule) ? experimental : skip;
  const named = names === 'all' || names.has(rule);
  return isExperimental(rule) ? named : !named;
}

function readOptions(text: string, what: string, at: SourceRange | undefined): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  if (text.trim() === '') return values;
  for (const option of text.split(';')) {
    const [, key = '', value = ''] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/s.exec(option) ?? [];
    if (key !== 'skip' && key !== 'error' && key !== 'experimental') throw invalid(`${what} has "${option.trim()}"`, at);
    values.set(key, value);
  }
  return values;
}

function invalid(message: string, at: SourceRange | undefined): TsbuildError {
  const {
    code,
    message: text,
    hint,
  } = semanticError(message, 'it takes skip=RULE,RULE or skip=all, experimental=RULE and error=true, separated by ";"');
  return new TsbuildError(code, text, { hint, at });
}

function ruleSet(value: string | undefined): ReadonlySet<string> | 'all' {
  if (value === 'all') return 'all';
  return new Set(
    (value ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );
}

/** As Go's strconv.ParseBool. */
function isTrue(value: string, what: string, at: SourceRange | undefined): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(value)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(value)) return false;
  throw invalid(`${what} has "error=${value}", which is neither true nor false`, at);
}

function isRule(name: string): name is RuleName {
  return (RULE_NAMES as readonly string[]).includes(name);
}

function directivePlace({ source }: ParsedDockerfile): SourceRange | undefined {
  const index = source.lines.findIndex((line) => /^\s*#\s*check\s*=/i.test(line));
  return index < 0 ? undefined : { file: source.file, startLine: index + 1, endLine: index + 1 };
}
