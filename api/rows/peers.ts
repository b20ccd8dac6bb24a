// The client of Redis and Valkey. It is optional, and loaded when a table on a server is opened.

import type * as IORedis from 'ioredis'
import { UsageError } from '../base/errors.js'

/** ioredis, with its client of one server and that of a cluster. */
export function loadClients(): { Redis: typeof IORedis.Redis; Cluster: typeof IORedis.Cluster } {
  try {
    return require('ioredis') as typeof IORedis
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'MODULE_NOT_FOUND' || !message.includes("'ioredis'")) throw cause
    throw new UsageError(
      'rows of Redis and Valkey need the package ioredis, which is not installed: npm install ioredis',
      { cause },
    )
  }
}
