// Which words say something by themselves.

/**
 * Returns a function that tells whether a token does: it has two letters or more, and is in no list of stop words,
 * without the signs around it.
 */
export async function isTelling(): Promise<(token: string) => boolean> {
  const lists = await import('../bundled/stopwords.mjs')
  const stop = new Set(Object.values(lists).flatMap((list) => [...list]))
  return (token) => {
    const word = token
      .toLowerCase()
      // Some tokenizers write the space before a word as this letter.
      .replace(/^\u0121/, '')
      .replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '')
      .replaceAll('\u2019', "'")
    // The lists have words such as do and it, and not all that are made of them, such as don't and it's.
    const first = word.replace(/n't$|'\p{L}+$/u, '')
    return /\p{L}.*\p{L}/u.test(word) && !stop.has(word) && !stop.has(first)
  }
}
