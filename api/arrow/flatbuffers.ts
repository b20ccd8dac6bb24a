// The metadata of Arrow IPC are FlatBuffers, and apache-arrow trusts them: a length below zero makes it read the same
// message for ever, and a count of two billion in a list of eight bytes makes it count that far. Here every length,
// offset and count is looked at before.
//
// The layouts are those of Message.fbs, Schema.fbs, File.fbs and IPC.rst of Apache Arrow, and of FlatBuffers.

const MAGIC = 'ARROW1'

/** Bytes of structs in lists: FieldNode and Buffer, and the Block of a footer. */
const [NODE, BLOCK, LONG, OFFSET] = [16, 24, 8, 4]
/** The types of fields, and of messages, that are told apart. */
const [TIMESTAMP, UNION] = [10, 14]
const [SCHEMA, DICTIONARIES, RECORDS] = [1, 2, 3]
/** Fields may lie within fields so deep. */
const DEEPEST = 64

/** A part of a buffer with named values, each of which may be missing. */
interface TableAt {
  readonly at: number
  readonly slots: number
  readonly size: number
}

class Verifier {
  readonly #view: DataView
  /** Each list and table counts; a buffer cannot honestly have more of them than bytes. */
  #left: number

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#left = bytes.byteLength
  }

  /** Returns the kind of the message, and the number of bytes that follow it. */
  message(): { kind: number; body: number } {
    const message = this.#table(this.#follow(0))
    const kind = this.#byte(message, 1)
    if (kind === SCHEMA) this.#part(message, 2, (at) => this.#schema(at))
    else if (kind === RECORDS) this.#part(message, 2, (at) => this.#records(at))
    else if (kind === DICTIONARIES)
      this.#part(message, 2, (at) => this.#part(this.#table(at), 1, (data) => this.#records(data)))
    this.#pairs(message, 4)
    const body = kind === RECORDS || kind === DICTIONARIES ? this.#slot(message, 3) : undefined
    return { kind, body: body === undefined ? 0 : Number(this.#view.getBigInt64(body, true)) }
  }

  /** Returns where the messages of a file begin. */
  footer(): { at: number; kind: number }[] {
    const footer = this.#table(this.#follow(0))
    const places: { at: number; kind: number }[] = []
    const place = (kind: number) => (at: number) => places.push({ at: Number(this.#view.getBigInt64(at, true)), kind })
    this.#part(footer, 1, (at) => this.#schema(at))
    this.#list(footer, 2, BLOCK, place(DICTIONARIES))
    this.#list(footer, 3, BLOCK, place(RECORDS))
    this.#pairs(footer, 4)
    return places
  }

  #schema(at: number): void {
    const schema = this.#table(at)
    this.#list(schema, 1, OFFSET, (field) => this.#field(this.#follow(field), 0))
    this.#pairs(schema, 2)
    this.#list(schema, 3, LONG)
  }

  #field(at: number, depth: number): void {
    if (depth > DEEPEST) throw new Error(`fields lie more than ${DEEPEST} deep in fields`)
    const field = this.#table(at)
    this.#list(field, 0, 1)
    const kind = this.#byte(field, 2)
    this.#part(field, 3, (type) => {
      const table = this.#table(type)
      if (kind === UNION) this.#list(table, 1, OFFSET)
      if (kind === TIMESTAMP) this.#list(table, 1, 1)
    })
    this.#part(field, 4, (dictionary) => this.#part(this.#table(dictionary), 1, (type) => this.#table(type)))
    this.#list(field, 5, OFFSET, (child) => this.#field(this.#follow(child), depth + 1))
    this.#pairs(field, 6)
  }

  #records(at: number): void {
    const records = this.#table(at)
    this.#list(records, 1, NODE)
    this.#list(records, 2, NODE)
    this.#part(records, 3, (compression) => this.#table(compression))
    this.#list(records, 4, LONG)
  }

  /** A list of names with values. */
  #pairs(table: TableAt, slot: number): void {
    this.#list(table, slot, OFFSET, (at) => {
      const pair = this.#table(this.#follow(at))
      this.#list(pair, 0, 1)
      this.#list(pair, 1, 1)
    })
  }

  #table(at: number): TableAt {
    this.#spend()
    const slots = at - this.#view.getInt32(at, true)
    const size = this.#view.getUint16(slots, true)
    if (size < 4 || slots + size > this.#view.byteLength) throw new Error(`a table at byte ${at} is cut short`)
    return { at, slots, size }
  }

  /** The place of a value; undefined if the table has none. */
  #slot({ at, slots, size }: TableAt, slot: number): number | undefined {
    const place = 4 + 2 * slot
    const offset = place + 2 <= size ? this.#view.getUint16(slots + place, true) : 0
    return offset === 0 ? undefined : at + offset
  }

  #byte(table: TableAt, slot: number): number {
    const at = this.#slot(table, slot)
    return at === undefined ? 0 : this.#view.getUint8(at)
  }

  #part(table: TableAt, slot: number, look: (at: number) => void): void {
    const at = this.#slot(table, slot)
    if (at !== undefined) look(this.#follow(at))
  }

  /** A list of elements of `width` bytes, or a string. */
  #list(table: TableAt, slot: number, width: number, look?: (at: number) => void): void {
    const offset = this.#slot(table, slot)
    if (offset === undefined) return
    this.#spend()
    const at = this.#follow(offset)
    const count = this.#view.getUint32(at, true)
    if (at + 4 + count * width > this.#view.byteLength)
      throw new Error(`a list at byte ${at} of the metadata has ${count} elements, more than there are bytes for`)
    if (look) for (let i = 0; i < count; i++) look(at + 4 + i * width)
  }

  #follow(at: number): number {
    return at + this.#view.getUint32(at, true)
  }

  #spend(): void {
    if (--this.#left < 0) throw new Error('parts of the metadata are used again and again')
  }
}

/**
 * Checks the metadata of a file or a stream of Arrow IPC. @internal
 *
 * @throws Error for lengths, offsets and counts that do not fit in it.
 */
export function verifyMetadata(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const part = (from: number, length: number) => {
    if (!(length >= 0 && from >= 0 && from + length <= bytes.length))
      throw new Error(`${length} bytes from byte ${from} on do not lie in its ${bytes.length} bytes`)
    return new Verifier(bytes.subarray(from, from + length))
  }
  /** A message, and the place after it; null at the end of a stream. */
  const message = (from: number): { kind: number; end: number } | null => {
    if (from + 8 > bytes.length) return null
    // Since version 0.15 a length begins with a mark.
    const at = view.getInt32(from, true) === -1 ? from + 4 : from
    const length = view.getInt32(at, true)
    if (length === 0) return null
    const { kind, body } = part(at + 4, length).message()
    return { kind, end: at + 4 + length + Math.max(0, body) }
  }
  if (Buffer.from(bytes.subarray(0, MAGIC.length)).toString('latin1') === MAGIC) {
    const end = bytes.length - MAGIC.length - 4
    const length = view.getInt32(end, true)
    let free = 0
    // Messages that many entries share would be read as often.
    for (const { at, kind } of part(end - length, length)
      .footer()
      .sort((a, b) => a.at - b.at)) {
      const found = message(at)
      if (found?.kind !== kind) throw new Error(`at byte ${at} there is another message than its footer says`)
      if (at < free) throw new Error(`the message at byte ${at} begins within another one`)
      free = found.end
    }
  } else for (let at: number | undefined = 0; at !== undefined;) at = message(at)?.end
}
