// The packages that a queue runs on. They are optional, and loaded when a queue is opened.

import type * as BullMQ from 'bullmq'
import type { Redis } from 'ioredis'
import { UsageError } from '../base/errors.js'

type Named = 'bullmq' | 'ioredis' | 'pg'

/** BullMQ, which makes jobs of a server. */
export const loadBullMQ = () => load('bullmq', () => require('bullmq') as typeof BullMQ)

/** The client of Redis and Valkey. */
export function loadRedis(): typeof Redis {
  const loaded = load('ioredis', () => require('ioredis') as typeof Redis | { default: typeof Redis })
  return 'default' in loaded ? loaded.default : loaded
}

/** Checks that the client of Postgres is there, which BullMQ loads by itself. */
export const checkPostgres = () => void load('pg', () => require('pg') as unknown)

function load<T>(name: Named, required: () => T): T {
  try {
    return required()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'MODULE_NOT_FOUND' || !message.includes(`'${name}'`)) throw cause
    const others = name === 'bullmq' ? ' ioredis (for Redis and Valkey) or npm install bullmq pg (for Postgres)' : ''
    throw new UsageError(
      `tokenbed/queue needs the package ${name}, which is not installed: npm install ${name}${others}`,
      { cause },
    )
  }
}
