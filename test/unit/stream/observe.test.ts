import { expect, test } from 'vitest';
import { observe } from '../../../src/stream/observe.ts';

async function* source(...chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) {
    await Promise.resolve();
    yield chunk;
  }
}

test('every observer sees every chunk before the reader does, and the chunks stay the same objects', async () => {
  const [a, b] = [Buffer.from('a'), Buffer.from('b')];
  const log: string[] = [];
  const see = (who: string) => (chunk: Buffer) => void log.push(`${who}${chunk.toString()}`);
  const read: Buffer[] = [];
  for await (const chunk of observe(source(a, b), [see('1'), see('2')])) {
    log.push('read');
    read.push(chunk);
  }
  expect(log).toEqual(['1a', '2a', 'read', '1b', '2b', 'read']);
  expect(read[0]).toBe(a);
  expect(read[1]).toBe(b);
});

test('an observer that throws ends the stream and closes the source', async () => {
  let closed = false;
  const endless = (async function* () {
    try {
      for (;;) yield await Promise.resolve(Buffer.from('x'));
    } finally {
      closed = true;
    }
  })();
  const failing = (): void => {
    throw new Error('seen enough');
  };
  await expect(observe(endless, [failing]).next()).rejects.toThrow('seen enough');
  expect(closed).toBe(true);
});
