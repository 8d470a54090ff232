/** Waits for all works. When one fails the others are stopped and waited for, so nothing goes on behind the error, which is the first one. */
export async function allOrStop(works: readonly Promise<unknown>[], stop: () => void): Promise<void> {
  try {
    await Promise.all(works);
  } catch (error) {
    stop();
    await Promise.allSettled(works);
    throw error;
  }
}
