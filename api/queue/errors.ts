// What goes wrong between this process and the server of a queue.

import { TokenbedError } from '../base/errors.js'

/** The server of a queue cannot be reached, or must not be used as it is set up (code `QUEUE`). */
export class QueueError extends TokenbedError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('QUEUE', message, options)
  }
}
