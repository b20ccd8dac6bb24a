// tokenbed schema: everything that a command prints with --json fits what it says.

import test from 'ava'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randn, saveNpy, saveSafetensors, tensor } from '../../index.js'
import { command, fails, output } from '../support/command.js'
import { root } from '../support/golden.js'
import { fitsSchema, misfits } from '../support/json-schema.js'
import { temporaryFolder } from '../support/temporary.js'

const cwd = temporaryFolder()
const golden = (...parts: string[]) => join(root, 'testdata/golden', ...parts)
const model = golden('embed/m2v-f32')
const TEXT = 'the whale and the sea and the ship and the whale\n'

test.before(() => {
  writeFileSync(join(cwd, 'a.txt'), TEXT.repeat(20))
  writeFileSync(join(cwd, 'b.txt'), TEXT)
  writeFileSync(join(cwd, 'classes.txt'), '__label__a good film\n__label__b bad film\n'.repeat(20))
  saveNpy(join(cwd, 'rows.npy'), randn([8, 16]))
  saveSafetensors(join(cwd, 'x.safetensors'), { x: randn([4, 8]), n: tensor([1, 2]) }, { metadata: { made: 'here' } })
  mkdirSync(join(cwd, 'empty'))
})

/** Commands with --json, and arguments that show all that they may print. */
const RUNS: [string, string[][]][] = [
  [
    'embed',
    [
      ['a.txt', 'b.txt', '--dim', '8', '--out', 'e.safetensors', '--tables-out', 't.safetensors', '--seed', '-5'],
      ['a.txt', '--model', model, '--out', 'm.npy', '--dtype', 'binary'],
      ['a.txt', '--model', model, '--out', 'shards', '--shard-rows', '7'],
    ],
  ],
  ['verify', [['shards']]],
  [
    'tokens',
    [
      ['Hello ☃𓀀 <|endoftext|>', '--allowed-special', 'all'],
      ['Hello', '--ids'],
      ['', '--text'],
      ['a.txt', '--count'],
    ],
  ],
  [
    'tokenize',
    [
      ['a.txt', 'b.txt', '--out', 'ids', '--separator', '<|endoftext|>'],
      ['b.txt', '--out', 'ids2'],
    ],
  ],
  [
    'train',
    [
      ['a.txt', '--objective', 'skip-gram', '--dim', '8', '--min-count', '1', '--out', 'words'],
      ['classes.txt', '--objective', 'classify', '--dim', '8', '--out', 'classes'],
    ],
  ],
  ['classify', [['classes', 'good', 'bad film', '--top', '2']]],
  ['neighbors', [['words', 'whale', 'sea', '--top', '2']]],
  ['analogy', [['words', 'whale', 'sea', 'ship']]],
  ['search', [['rows.npy', 'a whale', '--model', model, '--top', '2']]],
  ['dedupe', [['rows.npy', '--quiet']]],
  ['split', [['a.txt', '--max-tokens', '16', '--quiet']]],
  [
    'inspect',
    [
      ['words', '--verify'],
      ['x.safetensors', '--initial', 'x.safetensors:x', '--table', 'x'],
      ['ids', '--verify'],
      [golden('pretrained/gpt2')],
      [golden('pretrained/bert')],
      [golden('fasttext/skipgram-ns.bin')],
      ['rows.npy'],
    ],
  ],
  ['convert', [['x.safetensors', 'y.npz', '--quiet']]],
  ['quantize', [['x.safetensors', '--dtype', 'int8', '--out', 'q.safetensors', '--quiet']]],
  ['explore', [['words', '--out', 'page.html', '--quiet']]],
  ['plot', [['words', '--out', 'plot.svg']]],
  ['doctor', [[]]],
]

/** Those whose outputs are compared with their schemas where their server runs. */
const ELSEWHERE = ['queue add', 'queue work', 'queue status', 'queue verify']

test.serial('what is printed fits', async (t) => {
  // Later commands read what earlier ones wrote.
  for (const [name, runs] of RUNS) for (const args of runs) await fitsSchema(t, name, quietly(name, args), { cwd })
})

const quietly = (name: string, args: string[]) =>
  ['embed', 'tokenize', 'train', 'search'].includes(name) ? [...args, '--quiet'] : args

test('there is a schema for every command that has --json, and for no other', async (t) => {
  const all = JSON.parse(await output(t, ['schema'])) as Record<string, { $schema: string; title: string }>
  t.deepEqual(Object.keys(all).sort(), [...RUNS.map(([name]) => name), ...ELSEWHERE].sort())
  const help = (await command(['--help'])).stdout
  const names = [...help.matchAll(/^ {2}([a-z]+) .*$/gm)].map(([, name]) => name)
  for (const name of names) {
    if (name === 'queue') continue
    const { stdout } = await command([name, '--help'])
    t.is(/^ {2}--json /m.test(stdout), name in all, name)
  }
  t.regex(all.split.title, /^a line of tokenbed split --json$/)
  t.is(all.embed.$schema, 'https://json-schema.org/draft/2020-12/schema')
})

test('a schema refuses what is not printed', async (t) => {
  const schema = JSON.parse(await output(t, ['schema', 'neighbors']))
  const nearest = [{ token: 'a', id: 1, similarity: 0.5 }]
  t.deepEqual(misfits({ neighbors: [{ token: 'b', id: 0, nearest }] }, schema), [])
  t.deepEqual(misfits({ neighbors: [{ token: 'b', id: -1, nearest }] }, schema), ['.neighbors[0].id: below 0'])
  t.deepEqual(misfits({ neighbors: [{ token: 'b', id: 0.5, nearest, x: 1 }] }, schema).length, 2)
  t.deepEqual(misfits({}, schema), ['.neighbors: missing'])
})

test('a command without JSON is named', async (t) => {
  await fails(t, ['schema', 'decode'], 2, ['decode: it prints no JSON', 'queue status'])
})

test('exit codes are in every help', async (t) => {
  const help = (await command(['--help'])).stdout
  t.regex(help, /Exit codes: 0 done, 1 the work failed, 2 wrong use, 3 parts/)
  const names = [...help.matchAll(/^ {2}([a-z]+) .*$/gm)].map(([, name]) => [name])
  for (const args of [...names, ['queue', 'work']])
    t.regex((await command([...args, '--help'])).stdout, /^Exit codes: 0 /m, args.join(' '))
  t.regex((await command(['queue', 'work', '--help'])).stdout, /3 some parts failed at every attempt/)
})
