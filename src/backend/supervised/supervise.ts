/**
 * Answers the system calls that a RUN's seccomp filter asks for. Who asks waits, and mostly asks again at once, so after each
 * answer this process stands still for a moment; while nobody asks, a thread of the pool waits and the rest goes on.
 */
import type { Listener, Notification } from '../../sys/seccomp-listener.ts';
import { takeListener } from '../../sys/seccomp-listener.ts';

export interface Supervisor {
  /** Who still waits gets ENOSYS from the kernel. */
  stop(): void;
}

/** How long the next question of a busy program is waited for; how long the event loop may stand still; a look at whether to stop. */
const NEXT_MS = 1;
const TURN_MS = 8;
const IDLE_MS = 100;

/**
 * `pid`: of the process whose descriptor `fd` the listener is. `answer` must answer through the listener; what it throws ends the
 * supervision, and is given to `failed`. Throws system errors where the listener cannot be had.
 */
export function supervise(
  { pid, fd }: { readonly pid: number; readonly fd: number },
  answer: (question: Notification, listener: Listener) => void,
  failed: (error: unknown) => void,
): Supervisor {
  const listener = takeListener(pid, fd);
  let open = true;
  const stop = (): void => {
    if (open) listener.close();
    open = false;
  };
  const attend = async (): Promise<void> => {
    while (open) {
      if (turn(listener, answer) === 'ended') return;
      await listener.wait(IDLE_MS);
    }
  };
  attend().then(stop, (error: unknown) => {
    stop();
    failed(error);
  });
  return { stop };
}

function turn(listener: Listener, answer: (question: Notification, listener: Listener) => void): 'ended' | 'quiet' {
  const until = performance.now() + TURN_MS;
  while (performance.now() < until) {
    const question = listener.next(NEXT_MS);
    if (question === undefined) return 'quiet';
    if (question === 'ended') return 'ended';
    answer(question, listener);
  }
  return 'quiet';
}
