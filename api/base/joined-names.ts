// Many names that cross from the native side as one text.

/** Names as one text, and how long each is. @internal */
export interface JoinedNames {
  readonly text: string
  readonly lengths: Uint32Array
}

/** The names, of which `lengths` says how long each is. @internal */
export function namesOf({ text, lengths }: JoinedNames): string[] {
  let start = 0
  return Array.from(lengths, (length) => text.slice(start, (start += length)))
}
