// Gathers the corpus that tables learn from, for the native side: sentences of words or ids, or texts with their
// classes.

import { setImmediate } from 'node:timers/promises'
import { abortable, throwIfAborted } from '../base/abortable.js'
import { UsageError } from '../base/errors.js'
import { inTurns, type Steps } from '../base/turns.js'
import { checkEncoder, openFolder } from '../files/token-folder.js'
import { call, check, failureOf, native } from '../native/native.js'
import { Pieces } from '../text/pieces.js'
import {
  checkItem,
  type ExamplesSource,
  type Items,
  type Kind,
  type LabelledText,
  type Source,
  type TextSource,
  type TokensSource,
} from '../text/source.js'
import { idsOfSource } from '../text/stream.js'
import type { CheckedOptions } from './options.js'
import type { Tokenizer } from '../text/tokenizer.js'

/**
 * The corpus of a trainer. Texts are separate: no sentence reaches from one into the next. To classify, texts come with
 * their classes (`{ examples }`, or an array of them), or in files or pieces with fastText's lines, in which words that
 * begin with `__label__` name the line's classes.
 *
 * In a folder (`{ folder }`) each document is a text. For the objective "next-token", with a `minCount` of at most 1,
 * its ids stay in the file, and are read through once to count them; the other objectives hold them in memory, 4 bytes
 * each. `vocabSize` is the folder's if neither it nor a tokenizer is given; a tokenizer must be the one that encoded
 * the folder.
 */
export type Corpus = TextSource | TokensSource | ExamplesSource | readonly LabelledText[]

export const CORPUS: readonly Kind[] = ['texts', 'files', 'pieces', 'tokens', 'ids', 'folder', 'examples']

export type Gathered = ReturnType<typeof native.corpusOfWords> & object

/** What a corpus is gathered for: the options, the tokenizer, and the caller's name for errors. */
export interface Wanted {
  readonly options: CheckedOptions
  readonly tokenizer: Tokenizer | null
  readonly signal?: AbortSignal
  readonly where: string
  /** What is there before the text: words that keep their numbers, and the names of classes. */
  readonly known?: { readonly words: readonly string[] | null; readonly labels?: readonly string[] | null }
}

/** Passes what is known to a corpus that was just begun. */
async function knowing(corpus: Gathered, { known, signal, where }: Wanted): Promise<Gathered> {
  if (known === undefined) return corpus
  function* passed(names: readonly string[] | null | undefined, areClasses: boolean): Steps<void> {
    for (let at = 0; at < (names?.length ?? 0); at += AT_ONCE) {
      yield
      check(native.corpusKnown(corpus, names!.slice(at, at + AT_ONCE), areClasses))
    }
  }
  await inTurns(passed(known.words, false), signal, where)
  await inTurns(passed(known.labels, true), signal, where)
  return corpus
}

/** Refuses a corpus from which the objective cannot be learned. */
export function checkCorpus(
  { kind }: Source,
  options: CheckedOptions,
  tokenizer: Tokenizer | null,
  where: string,
): void {
  const no = (why: string) => new UsageError(`${where}: ${why}`)
  const isOfWords = kind === 'texts' || kind === 'files' || kind === 'pieces'
  if (!isOfWords && (options.lowercase !== undefined || options.tokenPattern !== undefined))
    throw no(
      `lowercase and tokenPattern are for texts, but the corpus is ${kind === 'folder' ? 'a folder of ids' : kind}`,
    )
  if (options.objective === 'classify') {
    const hasClasses = kind === 'examples' || kind === 'files' || kind === 'pieces'
    if (!hasClasses)
      throw no(
        `${kind === 'folder' ? 'token ids' : kind} have no classes: write { examples: [{ text, label }, ...] }, or { files: [...] } whose lines name them, as in __label__yes`,
      )
  } else if (kind === 'examples')
    throw no(
      'only the objective "classify" takes texts with labels: write { texts: [...] } to learn from the texts alone',
    )
  if (kind === 'ids' && options.vocabSize === 0) throw no('a corpus of ids needs vocabSize, the number of possible ids')
  if (kind === 'tokens' && tokenizer !== null)
    throw no('tokens are words already: leave the option tokenizer out, or write { texts: [...] }')
}

/** Gathers a corpus. Files are read on another thread. */
export async function gather(source: Source, wanted: Wanted): Promise<Gathered> {
  const { options, tokenizer } = wanted
  if (source.kind === 'ids') return ofIds(source)
  if (source.kind === 'folder') return ofFolder(source, wanted)
  if (source.kind === 'tokens') return ofTokens(source.items, wanted)
  if (source.kind === 'examples') return ofExamples(source.items, wanted)
  if (tokenizer !== null && options.objective !== 'classify') return encoded(source, tokenizer, wanted)
  const corpus = await knowing(options.objective === 'classify' ? ofClasses(wanted, true) : ofWords(options), wanted)
  if (source.kind === 'files') {
    for (const path of source.paths) await addFile(corpus, path, wanted)
    return corpus
  }
  const joined = new Pieces()
  const isOne = source.kind === 'pieces'
  await each(source.items, source.kind, wanted, (text) => {
    check(native.corpusText(corpus, isOne ? joined.push(text as string) : (text as string)))
    if (!isOne) check(native.corpusEnd(corpus))
  })
  check(native.corpusText(corpus, joined.end()))
  check(native.corpusEnd(corpus))
  return corpus
}

const ofWords = ({ lowercase = false, tokenPattern }: Pick<CheckedOptions, 'lowercase' | 'tokenPattern'>) =>
  call(native.corpusOfWords(lowercase, tokenPattern))

function ofIds({ lists }: Source & { kind: 'ids' }): Gathered {
  const corpus = call(native.corpusOfIds())
  for (const list of lists) {
    check(native.corpusIds(corpus, list))
    check(native.corpusEnd(corpus))
  }
  return corpus
}

/**
 * The ids of a folder, whose documents are the sentences. For next-token training on all of them they stay in the file;
 * other objectives hold them in memory.
 */
function ofFolder({ path, verify }: Source & { kind: 'folder' }, { options, tokenizer, where }: Wanted): Gathered {
  const folder = openFolder(path, verify)
  const { info } = folder
  if (tokenizer !== null) checkEncoder(info, tokenizer, where)
  if (options.vocabSize !== 0 && options.vocabSize < info.vocabSize) {
    throw new UsageError(
      `${where}: vocabSize ${options.vocabSize} is less than the ${info.vocabSize} tokens of ${path}: give at least that, or leave it out`,
    )
  }
  return folder.corpus()
}

/** The size of the vocabulary; for a folder the folder's, unless the options give one. */
export function vocabularyOf(source: Source, { vocabSize }: CheckedOptions): number {
  return source.kind === 'folder' && vocabSize === 0 ? openFolder(source.path, false).info.vocabSize : vocabSize
}

/** Encodes each text separately; the end of a text ends a sentence. */
async function encoded(source: Source, tokenizer: Tokenizer, wanted: Wanted): Promise<Gathered> {
  const {
    signal,
    where,
    options: { invalidUtf8, maxRatio },
  } = wanted
  const corpus = call(native.corpusOfIds())
  const disallowedSpecial = new Set<string>()
  const addStream = async (text: Source) => {
    for await (const ids of idsOfSource(text, { tokenizer, signal, invalidUtf8, maxRatio, disallowedSpecial }, where))
      check(native.corpusIds(corpus, ids))
    check(native.corpusEnd(corpus))
  }
  if (source.kind === 'files') for (const path of source.paths) await addStream({ kind: 'files', paths: [path] })
  else if (source.kind === 'pieces') await addStream(source)
  else if (source.kind === 'texts') {
    await each(source.items, 'texts', wanted, (text) => {
      check(native.corpusIds(corpus, tokenizer.encode(text as string, { disallowedSpecial, addSpecialTokens: false })))
      check(native.corpusEnd(corpus))
    })
  }
  return corpus
}

async function ofTokens(sentences: Items, wanted: Wanted): Promise<Gathered> {
  const corpus = await knowing(ofWords({}), wanted)
  await each(sentences, 'tokens', wanted, (words) => check(native.corpusWords(corpus, words as string[])))
  return corpus
}

/** A corpus of texts with their classes; `inLines` says whether the lines name the classes. */
function ofClasses({ tokenizer, where }: Wanted, inLines: boolean): Gathered {
  return call(native.corpusOfExamples(tokenizer === null ? null : tokenizer.forStream({}, where)[0], inLines))
}

/** Number of examples that are passed to the native side at a time. */
const AT_ONCE = 256

async function ofExamples(examples: Items, wanted: Wanted): Promise<Gathered> {
  const corpus = await knowing(ofClasses(wanted, false), wanted)
  const [labels, texts]: [string[], string[]] = [[], []]
  const cross = () => {
    check(native.corpusExamples(corpus, labels, texts))
    labels.length = 0
    texts.length = 0
  }
  await each(examples, 'examples', wanted, (example) => {
    const { text, label } = example as LabelledText
    labels.push(label)
    if (texts.push(text) === AT_ONCE) cross()
  })
  cross()
  return corpus
}

/** For at most this many milliseconds gathering keeps other work waiting. */
const TURN = 20

/** Uses each item of a source. It lets the event loop run now and then, so that a signal is noticed. */
async function each(
  items: Items,
  kind: 'texts' | 'pieces' | 'tokens' | 'examples',
  { signal, where }: Wanted,
  use: (item: unknown) => void,
): Promise<void> {
  let [count, until] = [0, performance.now() + TURN]
  const take = (item: unknown) => {
    checkItem(item, kind, count++, where)
    use(item)
  }
  const turn = async () => {
    await setImmediate()
    throwIfAborted(signal, where)
    until = performance.now() + TURN
  }
  throwIfAborted(signal, where)
  if (Symbol.asyncIterator in items) {
    for await (const item of abortable(items, signal, where)) {
      take(item)
      if (performance.now() > until) await turn()
    }
    return
  }
  for (const item of items) {
    take(item)
    if (performance.now() > until) await turn()
  }
}

async function addFile(corpus: Gathered, path: string, { options, signal, where }: Wanted): Promise<void> {
  const file = call(native.corpusFile(corpus, path, options.invalidUtf8 === 'replace', options.maxRatio))
  // The work is done in portions, so that a signal is noticed in between.
  for (let done = false; !done;) {
    throwIfAborted(signal, where)
    const read = await call(native.corpusFileRead(file))
    if (read.failure) throw failureOf(read.failure)
    done = read.done
  }
}
