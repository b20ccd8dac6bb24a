// Which words say something by themselves.

/** How many of the frequent tokens must be in a list before it is used, and how many of those in the best list. */
const [LEAST, SHARE] = [3, 0.6]

/** A token as lists of words have it: without the signs around it. */
const bare = (token: string) =>
  token
    .toLowerCase()
    // Some tokenizers write the space before a word as this letter.
    .replace(/^\u0121/, '')
    .replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '')
    .replaceAll('\u2019', "'")

/**
 * Returns a function that tells whether a token does: it has two letters or more, and is no stop word of the language
 * of the `frequent` tokens, which is that whose list has most of them. Words of other languages' lists may say much in
 * this one, such as man or die.
 */
export async function isTelling(frequent: readonly string[]): Promise<(token: string) => boolean> {
  const lists = Object.values(await import('../bundled/stopwords.mjs')).map((list) => new Set(list))
  // The lists have words such as do and it, and not all that are made of them, such as don't and it's.
  const isIn = (list: ReadonlySet<string>, word: string) =>
    list.has(word) || list.has(word.replace(/n't$|'\p{L}+$/u, ''))
  const words = frequent.map(bare)
  const hits = lists.map((list) => words.filter((word) => isIn(list, word)).length)
  const needed = Math.max(LEAST, SHARE * Math.max(...hits))
  const used = lists.filter((_, i) => hits[i] >= needed)
  return (token) => {
    const word = bare(token)
    return /\p{L}.*\p{L}/u.test(word) && !used.some((list) => isIn(list, word))
  }
}
