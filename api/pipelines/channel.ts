// What streams and `embedSoon` tell those who measure them, through Node's diagnostics channels.

import { channel } from 'node:diagnostics_channel'

/** A batch of vectors that is done, as the channel `tokenbed:batch` publishes it. */
export interface BatchMeasured {
  /** Number of the batch in its stream, or of its embedder's `embedSoon`, from 0. */
  readonly batch: number
  /** Number of texts. */
  readonly texts: number
  /** Number of tokens, as they count against `batchTokens`. */
  readonly tokens: number
  /** Number of bytes of the vectors. */
  readonly bytes: number
  /** How long the work took from the moment it was queued. */
  readonly seconds: number
}

const batches = channel('tokenbed:batch')
const UNITS_A_TOKEN = 4

/** The tokens that a text of so many UTF-16 units counts for: one for four units, and one at least. */
export const tokensOf = (units: number): number => Math.max(1, Math.ceil(units / UNITS_A_TOKEN))

/** Publishes a batch, if anybody listens. */
export function publishBatch(measured: BatchMeasured): void {
  if (batches.hasSubscribers) batches.publish(measured)
}
