/**
 * What work costs, for limits that tell work which grows with its input from work which grows with its square. The time on the wall
 * is no measure: on a machine that does other things it is many times longer.
 */

/** Milliseconds of processor time, of all threads of this process, since the call. */
export function cpuStopwatch(): () => number {
  const begun = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1000;
  };
}
