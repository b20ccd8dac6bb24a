// Rebuilds, from the calls of a save, what a disk may hold after a loss of power.
//
// File systems promise little. The bytes of a file are on the disk once the file was synced, and names in a folder once
// the folder was. Before that, any part may be on the disk or not, in any order, with zeros or half of the bytes where
// a file was written. So each moment of a save has many possible disks, and on each of them the file must be whole.

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Seen } from '../../support/faulty.js'

/** A file, independent of its names. */
interface File {
  /** The bytes as the process sees them. */
  bytes: Buffer
  /** The bytes that are certainly on the disk. */
  synced: Buffer
}

/** What a folder has under a name. */
type Entry = File | 'folder'
type Names = ReadonlyMap<string, Entry>

/** A change of names in folders. Until the folders are synced, the disk may have it or not. */
interface Change {
  readonly folders: readonly string[]
  apply(names: Map<string, Entry>): void
}

/** How many of the bytes that were not synced are on the disk. A synced file is always complete. */
const BYTES: Record<string, (file: File) => Buffer> = {
  none: ({ synced }) => synced,
  all: ({ bytes }) => bytes,
  half: ({ bytes, synced }) => (bytes === synced ? bytes : bytes.subarray(0, bytes.length >> 1)),
  zeros: ({ bytes, synced }) => (bytes === synced ? bytes : Buffer.alloc(bytes.length)),
}

/** If there are more changes at once, not all combinations are tried. */
const MOST_CHANGES = 7

const parent = (path: string) => dirname(path)

/** A disk after a loss of power. `when` names the call at which it happened. */
export interface Disk {
  readonly when: string
  /** Gives a folder the contents of the disk. */
  build(folder: string): void
}

export class Journal {
  /** The names as the process sees them, and those that are certainly on the disk. */
  readonly #seen = new Map<string, Entry>()
  readonly #certain = new Map<string, Entry>()
  readonly #files = new Map<string, File>()
  #changes: Change[] = []
  readonly #top: string
  /** Disks that were returned before. */
  readonly #known = new Set<string>()

  /** The initial folder, all of which is on the disk. */
  constructor(top: string) {
    this.#top = top
    for (const name of readdirSync(top, { recursive: true }) as string[]) {
      const path = join(top, name)
      const found = statSync(path)
      const bytes = found.isDirectory() ? null : readFileSync(path)
      const entry: Entry = bytes === null ? 'folder' : { bytes, synced: bytes }
      if (entry !== 'folder') this.#files.set(String(found.ino), entry)
      this.#seen.set(path, entry)
      this.#certain.set(path, entry)
    }
  }

  /** Records the next call. */
  take(call: Seen): void {
    const { name, file, other, result, inode, at, bytes, flags } = call
    if (result < 0) return
    if (name === 'open' || name === 'openat') return this.#opened(file, inode, flags)
    if (name === 'mkdir' || name === 'mkdirat')
      return this.#change([parent(file)], (names) => names.set(file, 'folder'))
    if (name === 'unlink' || name === 'unlinkat' || name === 'rmdir')
      return this.#change([parent(file)], (names) => names.delete(file))
    if (name === 'link' || name === 'linkat')
      return this.#change([parent(other)], (names) => names.set(other, this.#file(inode)))
    if (name.startsWith('rename')) {
      const moved = this.#seen.get(file)
      if (moved === undefined || moved === 'folder') throw new Error(`${file} is renamed, and nobody knows it`)
      return this.#change([parent(file), parent(other)], (names) => {
        names.delete(file)
        names.set(other, moved)
      })
    }
    if (name === 'fsync' || name === 'fdatasync') return this.#synced(file, inode)
    if (name === 'ftruncate')
      return this.#write(inode, (old) =>
        Buffer.concat([old, Buffer.alloc(Math.max(0, at - old.length))]).subarray(0, at),
      )
    if (bytes.length > 0) {
      this.#write(inode, (old) => {
        const now = Buffer.concat([old, Buffer.alloc(Math.max(0, at + bytes.length - old.length))])
        bytes.copy(now, at)
        return now
      })
    } else if (/^p?write|^sendfile|^copy_file/.test(name) && result > 0) {
      throw new Error(`${name} of ${file}: its bytes were not written down`)
    }
  }

  #file(inode: string): File {
    const found = this.#files.get(inode)
    if (found === undefined) throw new Error(`a file that nobody opened: ${inode}`)
    return found
  }

  #opened(path: string, inode: string, flags: readonly string[]): void {
    const isUnnamed = flags.includes('unnamed')
    if (isUnnamed || flags.includes('made')) {
      const file: File = { bytes: Buffer.alloc(0), synced: Buffer.alloc(0) }
      this.#files.set(inode, file)
      if (!isUnnamed) this.#change([parent(path)], (names) => names.set(path, file))
    } else if (flags.includes('emptied')) {
      this.#write(inode, () => Buffer.alloc(0))
    }
  }

  #write(inode: string, write: (old: Buffer) => Buffer): void {
    const file = this.#file(inode)
    file.bytes = write(file.bytes)
  }

  #change(folders: readonly string[], apply: (names: Map<string, Entry>) => void): void {
    apply(this.#seen)
    this.#changes.push({ folders, apply })
  }

  #synced(path: string, inode: string): void {
    const file = this.#files.get(inode)
    if (file !== undefined) {
      file.synced = file.bytes
      return
    }
    // Syncing a folder makes its changes permanent. A change of two folders counts as one.
    const isDone = ({ folders }: Change) => folders.includes(path)
    for (const change of this.#changes.filter(isDone)) change.apply(this.#certain)
    this.#changes = this.#changes.filter((change) => !isDone(change))
  }

  /** What is certainly on the disk. */
  certain(when: string): Disk {
    return this.#disk(`${when}: what is certain`, this.#certain, 'none')
  }

  /** All possible disks at this moment, except those that were returned before. */
  *disks(when: string): Generator<Disk> {
    const count = Math.min(this.#changes.length, MOST_CHANGES)
    const first = this.#changes.slice(0, this.#changes.length - count)
    for (let which = 0; which < 2 ** count; which++) {
      const names = new Map(this.#certain)
      for (const change of first) change.apply(names)
      this.#changes.slice(first.length).forEach((change, i) => ((which >> i) & 1) === 1 && change.apply(names))
      for (const bytes of Object.keys(BYTES)) {
        const key = this.#keyOf(names, bytes)
        if (this.#known.has(key)) continue
        this.#known.add(key)
        yield this.#disk(
          `${when}: of ${count} changes of names ${which.toString(2)}, of bytes that were not synced ${bytes}`,
          names,
          bytes,
        )
      }
    }
  }

  #keyOf(names: Names, bytes: string): string {
    const numbers = [...this.#files.values()]
    return [...names]
      .map(
        ([path, entry]) =>
          `${path} ${entry === 'folder' ? '' : `${numbers.indexOf(entry)} ${this.#versionOf(BYTES[bytes](entry))}`}`,
      )
      .sort()
      .join('\n')
  }

  readonly #versions: Buffer[] = []

  #versionOf(bytes: Buffer): number {
    const found = this.#versions.findIndex((known) => known.equals(bytes))
    return found < 0 ? this.#versions.push(bytes) - 1 : found
  }

  #disk(when: string, names: Names, bytes: string): Disk {
    // This is a copy of the current state, because the disk may be built later.
    const copies = [...names].map(
      ([path, entry]) => [path.slice(this.#top.length + 1), entry === 'folder' ? null : BYTES[bytes](entry)] as const,
    )
    return {
      when,
      build(folder) {
        rmSync(folder, { recursive: true, force: true })
        mkdirSync(folder, { recursive: true })
        for (const [path, content] of copies.sort(([a], [b]) => (a < b ? -1 : 1))) {
          if (content === null) mkdirSync(join(folder, path), { recursive: true })
        }
        for (const [path, content] of copies) {
          // A file is missing if its folder is.
          if (content !== null && isFolder(dirname(join(folder, path)))) writeFileSync(join(folder, path), content)
        }
      },
    }
  }
}

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** Copies a folder. */
export function copy(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true })
}

/** Files of an interrupted save, and files with unexpected names. */
export function leftIn(folder: string, expected: readonly string[]): string[] {
  const all = readdirSync(folder, { recursive: true }) as string[]
  return all.filter((name) => PART.test(basename(name)) || (!name.includes('/') && !expected.includes(name)))
}

/** Temporary names of files that do not have their final name yet. */
export const PART = /^\.tokenbed-.*\.part$|\.next$/
