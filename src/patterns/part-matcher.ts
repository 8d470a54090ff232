/**
 * Tests of whole names against a compiled pattern, in time that grows with name length times pattern length whatever the
 * pattern is. Few repetitions are left to a regular expression, which is faster; with many of them its time explodes.
 */
import { type GlobToken, literalSource } from './glob-tokens.ts';

export type PatternPart =
  | GlobToken
  /** Any text, `/` included. */
  | { readonly kind: 'rest' }
  /** Nothing, or any text that ends with `/`. */
  | { readonly kind: 'folders' };

/** Linux knows no longer path; in bytes, so in characters, too. */
const LONGEST_PATH = 4095;
/** A name of n characters costs at most n to the power of this. */
const MOST_REPETITIONS = 2;
/** Very long expressions are too much for the engine. */
const MOST_PARTS = 500;

/** `name`: runes. */
export function partMatcher(written: readonly PatternPart[]): (name: string) => boolean {
  // The same repetition twice is one.
  const parts = written.filter((part, index) => !isRepetition(part) || written[index - 1]?.kind !== part.kind);
  const repetitions = parts.filter(isRepetition).length;
  if (parts.length - repetitions > LONGEST_PATH) return () => false;
  if (repetitions > MOST_REPETITIONS || parts.length > MOST_PARTS) return walkMatcher(parts);
  const regexp = new RegExp(`^${parts.map(partSource).join('')}$`, 'su');
  return (name) => regexp.test(name);
}

function isRepetition({ kind }: PatternPart): boolean {
  return kind === 'star' || kind === 'rest' || kind === 'folders';
}

function partSource(part: PatternPart): string {
  switch (part.kind) {
    case 'literal':
      return literalSource(part.character);
    case 'any':
      return '[^/]';
    case 'star':
      return '[^/]*';
    case 'class':
      return part.source;
    case 'rest':
      return '.*';
    case 'folders':
      return '(?:.*/)?';
  }
}

/** What a place in the pattern does with a character; `skips`: how many places further one is without reading any. */
interface Place {
  takes(character: string): boolean;
  /** Where it is after that: the same place may go on, too. */
  readonly stays: boolean;
  leaves(character: string): boolean;
  readonly skips: readonly number[];
}

const never = (): boolean => false;
const always = (): boolean => true;
const notSlash = (character: string): boolean => character !== '/';
const isSlash = (character: string): boolean => character === '/';

function placesOf(part: PatternPart): readonly Place[] {
  switch (part.kind) {
    case 'literal':
      return [single((character) => character === part.character)];
    case 'any':
      return [single(notSlash)];
    case 'class': {
      const regexp = new RegExp(`^${part.source}$`, 'su');
      return [single((character) => regexp.test(character))];
    }
    case 'star':
      return [{ takes: notSlash, stays: true, leaves: never, skips: [1] }];
    case 'rest':
      return [{ takes: always, stays: true, leaves: never, skips: [1] }];
    case 'folders':
      // The first place only decides whether there are any.
      return [
        { takes: never, stays: false, leaves: never, skips: [1, 2] },
        { takes: always, stays: true, leaves: isSlash, skips: [] },
      ];
  }
}

function single(takes: (character: string) => boolean): Place {
  return { takes, stays: false, leaves: takes, skips: [] };
}

/** Follows all ways through the pattern at once. */
function walkMatcher(parts: readonly PatternPart[]): (name: string) => boolean {
  const places = parts.flatMap(placesOf);
  return (name) => {
    let seen = new Set<number>();
    reach(0, places, seen);
    for (const character of name) {
      const next = new Set<number>();
      for (const index of seen) {
        const place = places[index];
        if (place === undefined) continue;
        if (place.stays && place.takes(character)) next.add(index);
        if (place.leaves(character)) reach(index + 1, places, next);
      }
      // What stays has had its skips taken, but not in the new set.
      for (const index of [...next]) for (const skip of places[index]?.skips ?? []) reach(index + skip, places, next);
      if (next.size === 0) return false;
      seen = next;
    }
    return seen.has(places.length);
  };
}

/** Adds `index` and all that is reached from it without a character. */
function reach(index: number, places: readonly Place[], into: Set<number>): void {
  const pending = [index];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (into.has(at)) continue;
    into.add(at);
    for (const skip of places[at]?.skips ?? []) pending.push(at + skip);
  }
}
