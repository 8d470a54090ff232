/** The value of --chmod: octal as in Docker, or symbolic as in chmod(1). Only checked here; applying it is copy/'s. */
import { TsbuildError } from '../errors.ts';
import type { ModeChange } from './plan.ts';

const CLAUSE = /^[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+$/;

/** Throws DOCKERFILE_SEMANTICS. */
export function parseChmod(text: string): ModeChange {
  if (/^[0-7]+$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if (mode <= 0o7777) return { kind: 'octal', mode };
  } else if (text.split(',').every((clause) => CLAUSE.test(clause))) {
    return { kind: 'symbolic', text };
  }
  throw new TsbuildError('DOCKERFILE_SEMANTICS', `"${text}" is not a mode for --chmod`, {
    hint: 'an octal number from 0 to 07777, or symbolic as in chmod(1): u=rwX,go=rX',
  });
}
