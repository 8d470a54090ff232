import { expect, test } from 'vitest';
import { cleanup } from '../../../src/async/cleanup.ts';

test('the last thing added is undone first, each after the one before has ended', async () => {
  const log: string[] = [];
  const undo = cleanup();
  undo.add(() => void log.push('first'));
  undo.add(async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    log.push('second');
  });
  await undo[Symbol.asyncDispose]();
  expect(log).toEqual(['second', 'first']);
});

test('all are undone though some fail, and the first failure is thrown', async () => {
  const log: string[] = [];
  const undo = cleanup();
  undo.add(() => void log.push('first'));
  undo.add(() => {
    throw new Error('later');
  });
  undo.add(() => Promise.reject(new Error('sooner')));
  await expect(undo[Symbol.asyncDispose]()).rejects.toThrow('sooner');
  expect(log).toEqual(['first']);
});

test('what is added while undoing is undone, too, and nothing twice', async () => {
  const log: string[] = [];
  const undo = cleanup();
  undo.add(() => {
    log.push('outer');
    undo.add(() => void log.push('inner'));
  });
  await undo[Symbol.asyncDispose]();
  await undo[Symbol.asyncDispose]();
  expect(log).toEqual(['outer', 'inner']);
});
