/**
 * The spellings of Go's pflag, which Kaniko's users type, as one: every flag with a value becomes `--long=value`, so that
 * commander reads them alike. Knows nothing of what flags mean. Reference: github.com/spf13/pflag, "Command line flag syntax".
 */

export interface FlagShape {
  readonly name: string;
  readonly short?: string;
  /** `boolean` takes a value only after `=`. `switch` takes none. */
  readonly kind: 'boolean' | 'value' | 'list' | 'switch';
}

export interface NormalizedArguments {
  /** `--long=value` and what is not a known flag, in the order given. */
  readonly arguments: readonly string[];
  /** Flags at the end of the line whose value is missing, as typed. */
  readonly withoutValue: readonly string[];
}

export function normalizeArguments(argv: readonly string[], flags: readonly FlagShape[]): NormalizedArguments {
  const byName = new Map<string, FlagShape>();
  for (const flag of flags) {
    byName.set(`--${flag.name}`, flag);
    if (flag.short !== undefined) byName.set(`-${flag.short}`, flag);
  }
  const out: string[] = [];
  const withoutValue: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (word === '--') {
      out.push(...argv.slice(i));
      break;
    }
    const { typed, value } = split(word);
    const flag = byName.get(typed);
    if (flag === undefined || (flag.kind === 'switch' && value === null)) {
      out.push(word);
    } else if (flag.kind === 'boolean' || flag.kind === 'switch') {
      out.push(`--${flag.name}=${value ?? 'true'}`);
    } else if (value !== null) {
      out.push(`--${flag.name}=${value}`);
    } else if (i + 1 < argv.length) {
      // pflag takes the next word whatever it begins with.
      out.push(`--${flag.name}=${argv[++i]}`);
    } else {
      withoutValue.push(typed);
    }
  }
  return { arguments: out, withoutValue };
}

/** `--a=b`, `-a=b` and `-ab` in two; value null where there is none. */
function split(word: string): { typed: string; value: string | null } {
  if (word.startsWith('--')) {
    const equals = word.indexOf('=');
    return equals < 0 ? { typed: word, value: null } : { typed: word.slice(0, equals), value: word.slice(equals + 1) };
  }
  if (word.startsWith('-') && word.length > 2) {
    return { typed: word.slice(0, 2), value: word.slice(word[2] === '=' ? 3 : 2) };
  }
  return { typed: word, value: null };
}
