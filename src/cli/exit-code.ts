/** What the process's exit code says. A failed RUN's own code is in the message, never here. */
export const EXIT_CODE = {
  built: 0,
  told: 0,
  failed: 1,
  usage: 2,
  /** 128 + number of the signal, as shells tell it. */
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
} as const;
