/**
 * Answers mknod(2) for the processes of one RUN inside a user namespace, where the kernel makes no device nodes: see
 * make-device.ts. The seccomp filter's listener is looked at from a timer, since Node cannot wait for it; while nobody
 * makes devices that costs one system call in 20 ms.
 */
import { statSync } from 'node:fs';
import type { DeviceMarks } from '../../layer/device-marks.ts';
import { type Answer, type Listener, type Notification, takeListener } from '../../sys/seccomp-listener.ts';
import { makeDevice } from './make-device.ts';

export interface DeviceSupervisor {
  stop(): void;
}

const IDLE_MS = 20;
/** Programs that make one device mostly make more. */
const BUSY_MS = 1;
const ANSWERS_PER_TURN = 32;

/**
 * `pid`: of the RUN's first process, whose descriptor `fd` the listener is, and which waits in a mknod(2) of its own for the
 * answer that all is ready. Throws system errors.
 */
export function superviseDevices(pid: number, fd: number, marks: DeviceMarks): DeviceSupervisor {
  const listener = takeListener(pid, fd);
  let timer: NodeJS.Timeout | undefined;
  let ready = false;
  let open = true;
  const stop = (): void => {
    clearTimeout(timer);
    if (open) listener.close();
    open = false;
  };
  try {
    const place = { rootfs: statSync(`/proc/${pid}/root`).dev, memory: statSync(`/proc/${pid}/root/dev`).dev, marks };
    const answerTo = (question: Notification): Answer => {
      if (ready) return makeDevice(question, { ...place, isWaiting: () => listener.isWaiting(question) });
      ready = true;
      return 0;
    };
    const turn = (): void => {
      const answered = answerAll(listener, answerTo);
      if (answered === 'ended') stop();
      else timer = setTimeout(turn, ready && answered === 0 ? IDLE_MS : BUSY_MS);
    };
    turn();
  } catch (error) {
    stop();
    throw error;
  }
  return { stop };
}

function answerAll(listener: Listener, answerTo: (question: Notification) => Answer): number | 'ended' {
  for (let answered = 0; answered < ANSWERS_PER_TURN; answered += 1) {
    const question = listener.next();
    if (question === 'ended') return 'ended';
    if (question === undefined) return answered;
    listener.answer(question, answerTo(question));
  }
  return ANSWERS_PER_TURN;
}
