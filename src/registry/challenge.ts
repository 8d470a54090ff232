/** What a 401 asks for: the WWW-Authenticate header, which may hold several challenges. Spec: RFC 9110, 11.6.1. */

export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+/;

/** Challenges in order; what cannot be read ends the list. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = header;
  const skip = (pattern: RegExp): void => {
    rest = rest.replace(pattern, '');
  };
  for (;;) {
    skip(/^[\s,]+/);
    const word = TOKEN.exec(rest)?.[0];
    if (word === undefined) return challenges;
    rest = rest.slice(word.length);
    const current = challenges.at(-1);
    const equals = /^\s*=\s*(?!=)/.exec(rest)?.[0];
    if (equals === undefined || current === undefined) {
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
      // The token68 form (`Negotiate abc==`) has no parameters.
      skip(/^\s+[0-9A-Za-z._~+/-]+=*\s*(?=,|$)/);
      continue;
    }
    rest = rest.slice(equals.length);
    const value = readValue(rest);
    if (value === null) return challenges;
    current.parameters.set(word.toLowerCase(), value.text);
    rest = rest.slice(value.length);
  }
}

function readValue(text: string): { text: string; length: number } | null {
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(text);
  if (quoted !== null) return { text: (quoted[1] as string).replace(/\\(.)/g, '$1'), length: quoted[0].length };
  // Some registries leave the quotes out, even around URLs.
  const plain = /^[^\s,"]+/.exec(text);
  return plain === null ? null : { text: plain[0], length: plain[0].length };
}
