// Tests tokenbed train: it makes models as folders, and can be stopped and resumed.

import test from 'ava'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel } from '../../index.js'
import { command, ended, output, start, type Ended } from '../support/command.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const folder = () => mkdtempSync(join(base, 'x-'))
const posix = process.platform === 'win32' ? test.skip : test

const TEXT = Array.from(
  { length: 3000 },
  (_, i) => `the ${['cat', 'dog', 'cow'][i % 3]} ${['meows', 'barks', 'moos'][i % 3]} at night number${i % 40}`,
).join('\n')

test('every objective makes a model that loads', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'text.txt'), TEXT)
  writeFileSync(join(cwd, 'classes.txt'), TEXT.replaceAll(/^the (\w+)/gm, '__label__$1 the'))
  const common = { dim: 8, epochs: 1, minCount: 2, seed: 7 }
  const given = '--dim 8 --epochs 1 --min-count 2 --seed 7'
  const pairs = {
    window: 2,
    shrinkWindows: false,
    sample: 0.01,
    negative: 3,
    nsExponent: 0.5,
    alpha: 0.05,
    minAlpha: 0.001,
  }
  const givenPairs =
    '--window 2 --no-shrink-windows --sample 0.01 --negative 3 --ns-exponent 0.5 --lr 0.05 --min-alpha 0.001'
  const adamw = { lr: 0.01, betas: [0.8, 0.99], eps: 1e-6, weightDecay: 0 }
  const windows = {
    finalLr: 0.001,
    contextLength: 8,
    stride: 4,
    batchSize: 8,
    initStd: 0.1,
    tied: true,
    softmax: { samples: 64, nsExponent: 0.5 },
  }
  const givenNext =
    '--lr 0.01 --betas 0.8,0.99 --eps 1e-6 --weight-decay 0 --final-lr 0.001 --context-length 8 --stride 4 --batch-size 8 --init-std 0.1 --tied --samples 64 --ns-exponent 0.5'
  const cases = [
    ['text.txt', 'skip-gram', givenPairs, pairs],
    ['text.txt', 'cbow', `${givenPairs} --no-cbow-mean`, { ...pairs, cbowMean: false }],
    ['classes.txt', 'classify', '--lr 0.2', { lr: 0.2 }],
    ['text.txt', 'next-token', givenNext, { ...adamw, ...windows }],
  ] as const
  for (const [corpus, objective, own, expected] of cases) {
    const options = `${given} ${own}`.split(' ')
    const said = await output(
      t,
      ['train', corpus, '--objective', objective, '--out', objective, '--quiet', ...options],
      { cwd },
    )
    t.is(said, '')
    t.false(existsSync(join(cwd, objective, 'checkpoint.safetensors')))
    const model = loadModel(join(cwd, objective))
    t.is(model.description.objective, objective)
    t.is(model.vectors.dim, 8)
    const { training } = JSON.parse(readFileSync(join(cwd, objective, 'model.json'), 'utf8'))
    t.is(training.corpus[0].file, corpus)
    t.deepEqual(training.hyperParameters, { ...common, ...expected }, objective)
    t.true(training.loss.length > 0)
  }
})

test('prints the result as text and as JSON', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'text.txt'), TEXT)
  const { code, stdout, stderr } = await command(
    ['train', 'text.txt', '--objective', 'skip-gram', '--dim', '8', '--out', 'a'],
    { cwd },
  )
  t.is(code, 0, stderr)
  t.regex(stdout, /^a: skip-gram, 49 tokens of 8 numbers, loss \d\.\d{3}; 90,000 tokens in 0:\d\d, .* tokens\/s\n$/)
  const json = JSON.parse(
    (
      await command(['train', '-', '--objective', 'skip-gram', '--dim', '8', '--out', 'b', '--json', '--quiet'], {
        cwd,
        input: TEXT,
      })
    ).stdout,
  )
  t.like(json, { out: 'b', objective: 'skip-gram', vocabulary: 49, dim: 8, tokens: 90_000 })
  t.deepEqual(readFileSync(join(cwd, 'a/model.safetensors')), readFileSync(join(cwd, 'b/model.safetensors')))
})

posix('Ctrl-C saves, and --resume goes on to the same bits', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'text.txt'), TEXT)
  // Its first line comes after a second's work: whoever is done by then is given more.
  const interrupted = async (epochs: number): Promise<[string[], Ended]> => {
    const args = ['train', 'text.txt', '--objective', 'skip-gram', '--dim', '32', '--epochs', `${epochs}`, '--out']
    const child = start([...args, 'a'], { cwd })
    const end = ended(child)
    await Promise.race([once(child.stderr!, 'data'), end])
    child.kill('SIGINT')
    const found = await end
    if (found.code !== 0) return [args, found]
    rmSync(join(cwd, 'a'), { recursive: true })
    return interrupted(2 * epochs)
  }
  const [args, { code, stderr }] = await interrupted(1000)
  t.is(code, 130, stderr)
  t.regex(stderr, /loss \d/)
  t.regex(stderr, /saved a.checkpoint\.safetensors; --resume goes on from it/)
  t.deepEqual(readdirSync(join(cwd, 'a')), ['checkpoint.safetensors'])
  const anew = await command([...args, 'a'], { cwd })
  t.is(anew.code, 1, anew.stderr)
  t.regex(
    anew.stderr,
    /a.checkpoint\.safetensors: a training that was stopped; --resume goes on from it, --force begins anew/,
  )
  const other = await command([...args, 'a', '--resume', '--window', '9'], { cwd })
  t.is(other.code, 2, other.stderr)
  t.regex(other.stderr, /--window 9: a.checkpoint\.safetensors was made with 5/)
  const tokenizer = await command([...args, 'a', '--resume', '--tokenizer', 'gpt2'], { cwd })
  t.is(tokenizer.code, 2, tokenizer.stderr)
  t.regex(
    tokenizer.stderr,
    /^tokenbed: --tokenizer gpt2: .*checkpoint\.safetensors was made without a tokenizer: leave --tokenizer out\n$/,
  )
  const resumed = await command([...args, 'a', '--resume', '--quiet'], { cwd })
  t.is(resumed.code, 0, resumed.stderr)
  await command([...args, 'b', '--quiet'], { cwd })
  t.deepEqual(readFileSync(join(cwd, 'a/model.safetensors')), readFileSync(join(cwd, 'b/model.safetensors')))
  const again = await command([...args, 'a', '--resume'], { cwd })
  t.is(again.code, 1)
  t.regex(again.stderr, /the training was completed; --force instead of --resume/)
})

test('replaces an existing model only with --force', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'text.txt'), TEXT)
  const args = ['train', 'text.txt', '--objective', 'skip-gram', '--dim', '4', '--epochs', '1', '--quiet', '--out', 'a']
  await output(t, args, { cwd })
  const files = () => readdirSync(join(cwd, 'a')).map((name) => [name, readFileSync(join(cwd, 'a', name))])
  const first = files()
  const refused = async (more: string[], message: RegExp) => {
    const { code, stdout, stderr } = await command([...args, ...more], { cwd })
    t.is(code, 2, stderr)
    t.is(stdout, '')
    t.regex(stderr, message)
    t.deepEqual(files(), first)
  }
  await refused(
    [],
    /^tokenbed: --out a: model\.json, model\.safetensors, vocab\.txt of a model are there; --force replaces it, or name another folder\n$/,
  )
  await refused(['--dim', '8', '--objective', 'cbow'], /--out a: .*--force/)
  await refused(['--resume', '--force'], /--resume.*--force.*leave one out/)
  // What is left of another, or somebody else's.
  for (const name of ['model.json', 'model.safetensors', 'vocab.txt', 'tokenizer.json']) {
    mkdirSync(join(cwd, `only-${name}`))
    writeFileSync(join(cwd, `only-${name}`, name), 'kept')
    const { code, stderr } = await command([...args.slice(0, -1), `only-${name}`], { cwd })
    t.is(code, 2, stderr)
    t.true(stderr.includes(`--out only-${name}: ${name} of a model is there; --force`), stderr)
    t.is(readFileSync(join(cwd, `only-${name}`, name), 'utf8'), 'kept')
  }
  // A folder with other files is none of a model's.
  mkdirSync(join(cwd, 'notes'))
  writeFileSync(join(cwd, 'notes/readme.txt'), 'kept')
  await output(t, [...args.slice(0, -1), 'notes'], { cwd })
  t.is(readFileSync(join(cwd, 'notes/readme.txt'), 'utf8'), 'kept')

  writeFileSync(join(cwd, 'a/checkpoint.safetensors'), 'of another training')
  await output(t, [...args, '--force', '--dim', '8'], { cwd })
  t.is(loadModel(join(cwd, 'a')).vectors.dim, 8)
  t.false(existsSync(join(cwd, 'a/checkpoint.safetensors')))
  // Its own words as a corpus would be gone with it, whatever is said.
  const own = await command([...args, '--force', join('a', 'vocab.txt')], { cwd })
  t.is(own.code, 2, own.stderr)
  t.regex(own.stderr, /--out a: the text a.vocab\.txt would be replaced/)
  t.is(loadModel(join(cwd, 'a')).vectors.dim, 8)
})

test("a tokenizer in the folder is the model's own", async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'text.txt'), TEXT)
  mkdirSync(join(cwd, 'a'))
  const file = readFileSync(join(root, 'testdata/golden/hf/wordlevel.json'))
  writeFileSync(join(cwd, 'a/tokenizer.json'), file)
  const args = [
    'train',
    'text.txt',
    '--objective',
    'skip-gram',
    '--min-count',
    '1',
    '--dim',
    '4',
    '--epochs',
    '1',
    '--quiet',
    '--out',
    'a',
  ]
  await output(t, [...args, '--tokenizer', 'a/tokenizer.json'], { cwd })
  t.deepEqual(readFileSync(join(cwd, 'a/tokenizer.json')), file)
  rmSync(join(cwd, 'a/model.json'))
  rmSync(join(cwd, 'a/model.safetensors'))
  await output(t, [...args, '--tokenizer', 'a'], { cwd })
  t.true(loadModel(join(cwd, 'a')).tokenizer !== null)
})

test('words are lower case, or matches of a pattern', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'a.txt'), 'The whale, a Whale. WHALE!\n'.repeat(20))
  const args = 'train a.txt --objective cbow --dim 2 --epochs 1 --out m --lowercase'.split(' ')
  t.is((await command([...args, '--token-pattern', '[a-z]+'], { cwd })).code, 0)
  t.deepEqual(loadModel(join(cwd, 'm')).words, ['whale', 'the', 'a'])
  const refused = await command([...args, '--force', '--tokenizer', 'gpt2'], { cwd })
  t.is(refused.code, 2)
  t.regex(refused.stderr, /--lowercase is for words, but a tokenizer divides the texts/)
})

test('reports wrong use and bad input', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'text.txt'), TEXT)
  writeFileSync(join(cwd, 'empty.txt'), '')
  const wrong = async (args: string[], code: number, message: RegExp) => {
    const ended = await command(['train', ...args], { cwd })
    t.is(ended.code, code, ended.stderr)
    t.regex(ended.stderr, message)
    t.is(ended.stderr.trim().split('\n').length, 1)
  }
  await wrong(['text.txt', '--out', 'a'], 2, /--objective/)
  await wrong(['text.txt', '--objective', 'glove', '--out', 'a'], 2, /skip-gram, cbow, next-token, classify/)
  await wrong(
    ['text.txt', '--objective', 'next-token', '--window', '3', '--out', 'a'],
    2,
    /--window is an option of skip-gram and cbow, not of next-token/,
  )
  await wrong(['text.txt', '--objective', 'skip-gram', '--lr', 'x', '--out', 'a'], 2, /must be a number/)
  await wrong(
    ['text.txt', '--objective', 'skip-gram', '--no-cbow-mean', '--out', 'a'],
    2,
    /--no-cbow-mean is an option of cbow, not of skip-gram/,
  )
  await wrong(
    ['text.txt', '--objective', 'next-token', '--betas', '0.9,1', '--out', 'a'],
    2,
    /two numbers from 0 to below 1/,
  )
  await wrong(
    ['text.txt', '--objective', 'next-token', '--ns-exponent', '0.5', '--out', 'a'],
    2,
    /--ns-exponent: of next-token it is how --samples are drawn/,
  )
  await wrong(['none.txt', '--objective', 'skip-gram', '--out', 'a'], 1, /none\.txt: no such file/)
  await wrong(['empty.txt', '--objective', 'skip-gram', '--out', 'a'], 1, /the corpus is empty/)
  await wrong(
    ['text.txt', '--objective', 'skip-gram', '--min-count', '9999', '--out', 'a'],
    1,
    /minCount 9999 leaves no word/,
  )
  await wrong(['text.txt', '--objective', 'skip-gram', '--out', 'text.txt'], 1, /a file; name a folder/)
  await wrong(['text.txt', '--objective', 'skip-gram', '--out', 'new', '--resume'], 1, /nothing was saved/)
  await wrong(['text.txt', '--objective', 'classify', '--out', 'a'], 1, /needs at least two classes/)
  await wrong(
    ['text.txt', '--objective', 'skip-gram', '--ouut', 'a'],
    2,
    /unknown option '--ouut' \(did you mean --out\?\)/,
  )
  t.false(existsSync(join(cwd, 'a')), 'a folder that was made for nothing is gone')
  writeFileSync(join(cwd, 'bytes.txt'), Buffer.concat([Buffer.from(TEXT), Buffer.from([0xff, 0x20])]))
  await wrong(
    ['bytes.txt', '--objective', 'skip-gram', '--out', 'a'],
    1,
    /bytes\.txt.*UTF-8.*\(--invalid-utf8 replace reads it all the same\)/,
  )
  const replaced = await command(
    [
      'train',
      'bytes.txt',
      '--objective',
      'skip-gram',
      '--out',
      'a',
      '--invalid-utf8',
      'replace',
      '--min-count',
      '1',
      '--dim',
      '4',
    ],
    { cwd },
  )
  t.is(replaced.code, 0, replaced.stderr)
  t.true(readFileSync(join(cwd, 'a/vocab.txt'), 'utf8').includes('\ufffd'))
})
