// Talks to scripts/faults, under which this process runs: it sees every call to the system, and does with it what it is
// told.

import { existsSync, readFileSync } from 'node:fs'

/** A call that was seen. */
export interface Seen {
  readonly name: string
  readonly file: string
  /** The new name, of calls that give one. */
  readonly other: string
  readonly result: number
  /** What was done to it. */
  readonly done: '' | 'failed' | 'short'
  /** The number of the file. */
  readonly inode: string
  /** Where bytes were written. */
  readonly at: number
  readonly bytes: Buffer
  readonly flags: readonly string[]
}

/** Tells it something; asking whether a file exists is how. */
function tell(command: string): void {
  existsSync(`/.faults/${command}`)
}

/** Calls that touch this folder are seen from now on, and written down in a file that lies elsewhere. */
export function watch(folder: string, log: string, { data = false } = {}): void {
  tell(`watch${folder}`)
  tell(`${data ? 'data' : 'log'}${log}`)
}

/** The nth call of this name fails, and so do those after it, so many in all. */
export function fail(name: string, nth: number, error: number, times: number): void {
  tell(`fail/${name}/${nth}/${error}/${times}`)
}

/** The nth call of this name does no more than so many bytes, and so do those after it. */
export function cutShort(name: string, nth: number, bytes: number, times: number): void {
  tell(`short/${name}/${nth}/${bytes}/${times}`)
}

/** This process is killed before the nth call of any name. */
export function killAt(nth: number): void {
  tell(`kill/${nth}`)
}

/** Nothing is seen any more. */
export function off(): void {
  tell('off')
}

/** What a log holds. */
export function readLog(log: string): Seen[] {
  const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => {
    const [name, file, other, result, done, inode, at, bytes, flags] = line.split('\t')
    return {
      name,
      file,
      other,
      result: Number(result),
      done: done as Seen['done'],
      inode,
      at: Number(at),
      bytes: Buffer.from(bytes, 'hex'),
      flags: flags.trim().split(' '),
    }
  })
}
