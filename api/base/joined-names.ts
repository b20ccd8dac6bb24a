// Many names that cross from the native side as one text.

/** The names, of which `lengths` says how long each is. @internal */
export function namesOf({ text, lengths }: { text: string; lengths: readonly number[] }): string[] {
  let start = 0
  return lengths.map((length) => text.slice(start, (start += length)))
}
