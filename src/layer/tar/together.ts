/** Several who look at one archive: its headers are read once. */
import type { TarHandler } from './member.ts';

/** Each call reaches them in their order. Where one throws, those behind it do not hear of that call; `abort` reaches all. */
export function together(handlers: readonly TarHandler[]): TarHandler {
  return {
    member: (member) => {
      for (const handler of handlers) handler.member(member);
    },
    content: (bytes) => {
      for (const handler of handlers) handler.content(bytes);
    },
    hole: (bytes) => {
      for (const handler of handlers) handler.hole(bytes);
    },
    contentEnd: () => {
      for (const handler of handlers) handler.contentEnd?.();
    },
    end: () => {
      for (const handler of handlers) handler.end?.();
    },
    abort: () => {
      for (const handler of handlers) handler.abort?.();
    },
  };
}
