// Compares one encoding with tiktoken: real text, random text, special tokens, and texts that are slow to merge.

import test from 'ava'
import { Tokenizer, type EncodeOptions } from '../../index.js'
import { readCorpus, SCRIPTS } from './corpus.js'
import { pick, randomText, randomTexts, seeded, type Draw } from './random-text.js'
import { equal, escaped, sameIds, shrink, withBoth, type Encoding } from './tiktoken.js'

const SEED = 20_261_125
const SPECIAL = {
  gpt2: ['<|endoftext|>'],
  cl100k_base: ['<|endoftext|>', '<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>', '<|endofprompt|>'],
  o200k_base: ['<|endoftext|>', '<|endofprompt|>'],
}

export function compareEverything(encoding: Encoding): void {
  test(`${encoding}: ten megabytes of real text in many scripts give tiktoken's ids`, (t) => {
    const corpus = readCorpus()
    const all = [...corpus.values()].flat()
    t.true(all.reduce((sum, text) => sum + Buffer.byteLength(text), 0) >= 10e6)
    const joined = all.join('')
    for (const [script, [pattern, least]] of Object.entries(SCRIPTS)) {
      t.true((joined.match(pattern)?.length ?? 0) >= least, script)
    }
    withBoth(encoding, (ours, theirs) => {
      for (const [where, texts] of corpus) {
        t.true(sameIds(t, ours, theirs, texts) > 10_000, where)
        for (const text of texts)
          t.true(ours.decode(ours.encode(text, { disallowedSpecial: new Set() })) === text, where)
      }
    })
  })

  test(`${encoding}: 100,000 random strings give tiktoken's ids`, (t) => {
    withBoth(encoding, (ours, theirs) => {
      const all = randomTexts(SEED, 100_000)
      t.true(new Set(all).size > 90_000)
      for (let at = 0; at < all.length; at += 10_000)
        t.true(sameIds(t, ours, theirs, all.slice(at, at + 10_000)) > 100_000)
    })
  })

  test(`${encoding}: decode inverts encode for random strings, one by one and as a batch`, (t) => {
    const tokenizer = Tokenizer.load(encoding)
    // Node's UTF-8 encoder decides what a lone surrogate becomes.
    const wellFormed = (text: string) => Buffer.from(text, 'utf8').toString('utf8')
    const texts = randomTexts(SEED + 1, 20_000)
    for (const options of [{ disallowedSpecial: new Set<string>() }, { allowedSpecial: 'all' as const }]) {
      const fails = (text: string) => {
        const ids = tokenizer.encode(text, options)
        return tokenizer.decode(ids) !== wellFormed(text) || tokenizer.count(text, options) !== ids.length
      }
      const failed = texts.find(fails)
      t.is(failed, undefined, failed && escaped(shrink(failed, fails)))
      const { ids } = tokenizer.encodeBatch(texts, options)
      t.true(tokenizer.decode(ids) === texts.map(wellFormed).join(''))
    }
  })

  test(`${encoding}: allowed and disallowed special tokens are treated as in tiktoken`, (t) => {
    withBoth(encoding, (ours, theirs) => {
      const draw = seeded(SEED + 2)
      const names = SPECIAL[encoding]
      const outcomes = { ids: 0, errors: 0 }
      for (let i = 0; i < 5_000; i++) {
        const text = Array.from(
          { length: 1 + draw(4) },
          () => `${randomText(draw).slice(0, 8)}${draw(2) ? pick(draw, names) : ''}`,
        ).join('')
        const [allowed, disallowed] = [choice(draw, names), choice(draw, names)]
        const found = outcome(() => ours.encode(text, options(allowed, disallowed)))
        const expected = outcome(() => theirs.encode(text, allowed, disallowed))
        const said = `${escaped(text)}, allowed ${allowed}, disallowed ${disallowed}`
        t.is(found === undefined, expected === undefined, `an error in one alone: ${said}`)
        if (found && expected) t.true(equal(found, expected), said)
        outcomes[found ? 'ids' : 'errors']++
      }
      t.true(outcomes.ids > 1_000 && outcomes.errors > 500, JSON.stringify(outcomes))
    })
  })

  test(`${encoding}: long pieces that are slow to merge give tiktoken's ids, also as a megabyte`, (t) => {
    const units = [
      'a',
      'Z',
      ' ',
      '\n',
      '\r\n',
      '\t',
      '7',
      '0123456789',
      '😀',
      'a b',
      'ab',
      'é',
      '字',
      '=',
      '-=',
      ' \n',
      "'s",
      'ก',
      '\u0301',
      '\0',
    ]
    withBoth(encoding, (ours, theirs) => {
      // tiktoken takes quadratic time for these, so the lengths are limited.
      sameIds(
        t,
        ours,
        theirs,
        units.flatMap((unit) => [63, 64, 65, 127, 129, 1_000, 5_000].map((n) => unit.repeat(n))),
      )
    })
    const tokenizer = Tokenizer.load(encoding)
    for (const unit of units) {
      // Repetition in the text appears in the ids: the long text must give the ids of the short one, repeated.
      const long = unit.repeat(Math.ceil(2 ** 20 / unit.length))
      const ids = tokenizer.encode(long)
      t.true(tokenizer.decode(ids) === long, escaped(unit))
      t.is(tokenizer.count(long), ids.length)
      const few = tokenizer.encode(unit.repeat(100_000)).length / 100_000
      const many = ids.length / (long.length / unit.length)
      t.true(Math.abs(many / few - 1) < 0.01, `${escaped(unit)}: ${few} and ${many} ids a unit`)
    }
  })
}

/** None, all or some of the names, or names that the encoding lacks. undefined is the default. */
function choice(draw: Draw, names: string[]): string[] | 'all' | undefined {
  const kind = draw(5)
  if (kind === 0) return 'all'
  if (kind === 1) return undefined
  return kind === 2 ? [] : names.filter(() => draw(2) === 0)
}

function options(allowed: string[] | 'all' | undefined, disallowed: string[] | 'all' | undefined): EncodeOptions {
  const set = (names: string[] | 'all' | undefined) => (Array.isArray(names) ? new Set(names) : names)
  return { allowedSpecial: set(allowed), disallowedSpecial: set(disallowed) }
}

function outcome(encode: () => Uint32Array): Uint32Array | undefined {
  try {
    return encode()
  } catch {
    return undefined
  }
}
