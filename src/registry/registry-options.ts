/** What the user decides about talking to registries. */
import type { OnTransfer } from '../blob/blob.ts';
import type { Credentials } from './credentials.ts';
import type { RetryPolicy } from './retry.ts';

export interface Transport {
  /** `http-allowed`: HTTPS is tried first, plain HTTP when the host does not speak it; the other way round on loopback addresses. */
  readonly http: 'https-only' | 'http-allowed';
  readonly certificates: 'verify' | 'accept-any';
}

export interface TimeLimits {
  /** Until the connection stands, TLS included. */
  readonly connectMs: number;
  /** From the request's last byte to the answer's headers. */
  readonly answerMs: number;
  /** The same for requests that make the registry move a whole blob. */
  readonly commitMs: number;
  /** Without a single byte of a body that the other side should send or take. */
  readonly idleMs: number;
}

export interface RegistryOptions {
  /** --insecure, --skip-tls-verify: for every host that is pushed to. */
  readonly push: Transport;
  /** --insecure-pull, --skip-tls-verify-pull: for every host that is pulled from. */
  readonly pull: Transport;
  /** --insecure-registry: hosts (`host[:port]`) that may be spoken to in plain HTTP. Loopback addresses always may, as in Docker. */
  readonly httpHosts: readonly string[];
  /** --skip-tls-verify-registry: hosts whose certificate is not verified. */
  readonly unverifiedHosts: readonly string[];
  /** --registry-mirror: `host[:port][/path]`, tried in this order before Docker Hub, and only for images of Docker Hub. */
  readonly mirrors: readonly string[];
  /** --skip-default-registry-fallback: `never` asks the mirrors alone. */
  readonly hubAfterMirrors?: 'always' | 'never';
  readonly credentials: Credentials;
  readonly onTransfer?: OnTransfer;
  readonly retry?: RetryPolicy;
  readonly timeLimits?: Partial<TimeLimits>;
  /** What was tried again, and which mirror did not help. */
  readonly debug?: (message: string) => void;
}

export const DEFAULT_TIME_LIMITS: TimeLimits = {
  connectMs: 30_000,
  answerMs: 60_000,
  // Registries copy a finished upload inside their object store before they answer; gigabytes take minutes.
  commitMs: 600_000,
  idleMs: 60_000,
};
