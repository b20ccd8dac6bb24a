// Controls scripts/faults, under which this process runs. It sees every system call and treats it as told.

import { existsSync, readFileSync } from 'node:fs'

/** A call that was recorded. */
export interface Seen {
  readonly name: string
  readonly file: string
  /** The new name, for calls that rename or link. */
  readonly other: string
  readonly result: number
  /** The fault that was applied to it. */
  readonly done: '' | 'failed' | 'short'
  /** The descriptor of the file. */
  readonly inode: string
  /** The offset at which bytes were written. */
  readonly at: number
  readonly bytes: Buffer
  readonly flags: readonly string[]
}

/** Sends a message to the program, in the form of a check whether a file exists. */
function tell(command: string): void {
  existsSync(`/.faults/${command}`)
}

/** From now on, calls on this folder are seen and recorded in a file elsewhere. */
export function watch(folder: string, log: string, { data = false } = {}): void {
  tell(`watch${folder}`)
  tell(`${data ? 'data' : 'log'}${log}`)
}

/** Makes the nth call of this name and those after it fail, up to a number of failures. */
export function fail(name: string, nth: number, error: number, times: number): void {
  tell(`fail/${name}/${nth}/${error}/${times}`)
}

/** Limits the nth call of this name, and those after it, to this many bytes. */
export function cutShort(name: string, nth: number, bytes: number, times: number): void {
  tell(`short/${name}/${nth}/${bytes}/${times}`)
}

/** Kills this process before the nth call of any name. */
export function killAt(nth: number): void {
  tell(`kill/${nth}`)
}

/** Stops observing. */
export function off(): void {
  tell('off')
}

/** The calls in a log. */
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
