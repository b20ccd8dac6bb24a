// Where a queue is. These types name no package, so that they can be read without those that a queue runs on.

/**
 * Where a queue is: `redis://`, `rediss://`, `valkey://` or `postgres://` and what follows; or the options of ioredis
 * or, with `connectionString`, of pg.
 */
export type QueueConnection = string | { readonly [option: string]: unknown }

/** What all that work on a queue are told. */
export interface QueuePlace {
  connection: QueueConnection
  /** The name of the queue; default `tokenbed`. */
  queue?: string
}

/** A part that failed at every attempt. */
export interface FailedPart {
  readonly folder: string
  readonly index: number
  readonly count: number
  /** The last error. */
  readonly reason: string
  readonly attempts: number
}
