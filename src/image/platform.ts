/** Platforms: parsing, normal form, and which of an index's images fits best. Docker: containerd/platforms. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}
