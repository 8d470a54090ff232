/** Things to undo, last first. Node 20 has no AsyncDisposableStack. */
export interface Cleanup extends AsyncDisposable {
  add(undo: () => void | PromiseLike<void>): void;
}

/** All undo functions run even when some fail; the first failure is thrown at the end. */
export function cleanup(): Cleanup {
  const undos: (() => void | PromiseLike<void>)[] = [];
  return {
    add(undo) {
      undos.push(undo);
    },
    async [Symbol.asyncDispose]() {
      const failures: unknown[] = [];
      for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
        try {
          await undo();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
