// Errors of the command: one line, the right exit code, and nothing left behind.

import test from 'ava'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { decode } from '../../cli/terminal/streams.js'
import { ones, saveSafetensors } from '../../index.js'
import { command, fails } from '../support/command.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()

function folder(): string {
  const path = mkdtempSync(join(base, 'x-'))
  const write = (name: string, text: string | Buffer) => writeFileSync(join(path, name), text)
  write('a.txt', 'Some text of a few tokens.')
  write('empty.txt', '')
  write('bad.txt', Buffer.from([0x61, 0x62, 0xff, 0x00, 0x80]))
  write('special.txt', 'one <|endoftext|> two')
  write('cut.json', '{"version": "1.0", "model": {"type": "BPE", "vocab": {"a"')
  write('other.json', '{"hello": "world"}')
  write('cut.safetensors', Buffer.from([200, 0, 0, 0, 0, 0, 0, 0, 0x7b]))
  write('x.txt.gz', 'no gzip at all')
  saveSafetensors(join(path, 'tables.safetensors'), {
    few: ones([10, 8]),
    flat: ones([9]),
    whole: ones([50257, 8], { dtype: 'int32' }),
    good: ones([50257, 8]),
    positions: ones([4, 6]),
  })
  mkdirSync(join(path, 'folder'))
  mkdirSync(join(path, 'model'))
  for (const name of ['model.json', 'model.safetensors']) writeFileSync(join(path, 'model', name), 'kept')
  return path
}

type Case = [args: string[], code: 1 | 2, ...parts: string[]]
const OUT = ['--out', 'x.safetensors', '--dim', '8']

const CASES: Case[] = [
  [['embd'], 2, "unknown command 'embd'", 'did you mean embed?'],
  [['--verison'], 2, "unknown option '--verison'", '--version'],
  [['embed', 'a.txt'], 2, '--out <file>'],
  [['embed', 'a.txt', ...OUT, '--strid', '3'], 2, 'did you mean --stride?'],
  [['embed', 'a.txt', ...OUT, '--stride', '0'], 2, '--stride', 'from 1 on'],
  [['embed', 'a.txt', ...OUT, '--stride', '257'], 2, '--stride 257', '--max-length 256'],
  [['embed', 'a.txt', ...OUT, '--max-length', '1e3'], 2, '--max-length', 'whole number'],
  [['embed', 'a.txt', ...OUT, '--batch-size', '-1'], 2, '--batch-size'],
  [['embed', 'a.txt', '--out', 'x.npy', '--dim', '0'], 2, '--dim'],
  [['embed', 'a.txt', ...OUT, '--seed', 'x'], 2, '--seed'],
  [['embed', 'a.txt', ...OUT, '--seed', String(2n ** 64n)], 2, '--seed', '2^64 - 1'],
  [['embed', 'a.txt', ...OUT, '--dtype', 'float8'], 2, 'float32, float16, bfloat16'],
  [['embed', 'a.txt', '--out', 'x.npy', '--dtype', 'bfloat16'], 2, 'bfloat16', '.npy'],
  [['embed', 'a.txt', '--out', 'x.bin'], 2, 'x.bin', '.safetensors or .npy'],
  [['embed', 'a.txt', '--out', 'nowhere/x.npy'], 1, 'nowhere', 'does not exist'],
  [['embed', 'a.txt', ...OUT, '--tables-out', 'nowhere/t.safetensors'], 1, '--tables-out', 'does not exist'],
  [['embed', 'a.txt', '--out', 'folder.npy/x.npy'], 1, 'folder.npy'],
  [['embed', 'a.npy', '--out', 'a.npy'], 1, 'a.npy', 'no such file'],
  [['embed', 'tables.safetensors', '--out', './tables.safetensors'], 2, 'would be replaced'],
  [
    ['embed', 'a.txt', '--out', 'tables.safetensors', '--table', 'tables.safetensors:good'],
    2,
    '--out tables.safetensors: this table would be replaced',
  ],
  [
    ['embed', 'a.txt', ...OUT, '--tables-out', 'tables.safetensors', '--position-table', './tables.safetensors:good'],
    2,
    '--tables-out tables.safetensors: this table would be replaced',
  ],
  [
    ['embed', 'a.txt', ...OUT, '--tables-out', './x.safetensors'],
    2,
    '--tables-out ./x.safetensors',
    'file of --out',
    'name another',
  ],
  [
    ['embed', 'a.txt', '--out', 'model/model.safetensors'],
    2,
    '--out model/model.safetensors: a file of the model in',
    'name another',
  ],
  [
    ['embed', 'a.txt', ...OUT, '--tables-out', 'model/model.safetensors'],
    2,
    '--tables-out model/model.safetensors: a file of the model',
  ],
  [['embed', 'a.txt', ...OUT, '--invalid-utf8', 'ignore'], 2, 'throw, replace'],
  [
    ['embed', 'a.txt', ...OUT, '--no-positions', '--position-table', 'tables.safetensors:good'],
    2,
    '--no-positions',
    '--position-table',
  ],
  [['embed', 'a.txt', ...OUT, '--tokenizer', 'gpt3'], 2, 'gpt3', 'cl100k_base', 'tokenizer.json'],
  [['embed', 'a.txt', ...OUT, '--tokenizer', 'missing.json'], 1, 'missing.json', 'no such file'],
  [['embed', 'a.txt', ...OUT, '--tokenizer', 'cut.json'], 1, 'cut.json'],
  [['embed', 'a.txt', ...OUT, '--tokenizer', 'other.json'], 1, 'other.json'],
  [['embed', 'a.txt', ...OUT, '--tokenizer', 'folder'], 1, 'tokenizer.json'],
  [['embed', 'missing.txt', ...OUT], 1, 'missing.txt: no such file or directory'],
  [['embed', 'a.txt', 'missing-*.txt', ...OUT], 1, 'missing-*.txt: no file matches'],
  [['embed', 'folder', ...OUT], 1, 'folder: a folder', "'folder/**/*.txt'"],
  [['embed', 'empty.txt', ...OUT], 1, 'no tokens', 'empty.txt is empty'],
  [['embed', 'empty.txt', '-', ...OUT], 1, 'no tokens', 'all 2 files'],
  [['embed', ...OUT], 1, 'no tokens', 'standard input is empty'],
  [['embed', 'a.txt', 'bad.txt', ...OUT], 1, 'bad.txt', 'UTF-8', 'byte 2', '--invalid-utf8 replace'],
  [['embed', 'x.txt.gz', ...OUT], 1, 'x.txt.gz'],
  [
    ['embed', 'special.txt', ...OUT],
    1,
    'special.txt',
    '<|endoftext|>',
    '--allowed-special all',
    '--allowed-special none',
  ],
  [['embed', 'special.txt', ...OUT, '--allowed-special', '<|eos|>'], 2, '<|eos|>', '<|endoftext|>'],
  [['embed', 'a.txt', ...OUT, '--table', 'missing.safetensors'], 1, 'missing.safetensors'],
  [['embed', 'a.txt', ...OUT, '--table', 'missing.safetensors:wte'], 1, 'missing.safetensors'],
  [['embed', 'a.txt', ...OUT, '--table', 'C:\\missing.safetensors'], 1, 'C:\\missing.safetensors'],
  [['embed', 'a.txt', ...OUT, '--table', 'cut.safetensors'], 1, 'cut.safetensors'],
  [['embed', 'a.txt', ...OUT, '--table', 'tables.safetensors'], 2, 'which', 'few [10, 8]', 'good [50257, 8]'],
  [['embed', 'a.txt', ...OUT, '--table', 'tables.safetensors:wte'], 2, '"wte"', 'good [50257, 8]'],
  [['embed', 'a.txt', ...OUT, '--table', 'tables.safetensors:few'], 1, '10 rows', '50257 tokens', '--tokenizer'],
  [['embed', 'a.txt', ...OUT, '--table', 'tables.safetensors:flat'], 1, '[9]'],
  [['embed', 'a.txt', ...OUT, '--table', 'tables.safetensors:whole'], 1, 'int32'],
  [
    ['embed', 'a.txt', '--out', 'x.npy', '--dim', '9', '--table', 'tables.safetensors:good'],
    2,
    '8 numbers',
    '--dim is 9',
    'leave --dim out',
  ],
  [['embed', 'a.txt', ...OUT, '--position-table', 'tables.safetensors:positions'], 2, '6', '8'],
  [
    ['embed', 'a.txt', '--out', 'x.npy', '--position-table', 'tables.safetensors:positions'],
    1,
    '4 rows',
    '--max-length is 256',
    '--max-length 4 goes with it',
  ],
  [['embed', 'a.txt', ...OUT, '--max-length', '999999999'], 2, 'GiB'],
  [['tokens', 'a', 'b'], 2, 'too many arguments', 'quotes'],
  [['tokens', '--text'], 2, '--text'],
  [['tokens', 'a', '--ids', '--count'], 2, '--ids', '--count'],
  [['tokens', 'bad.txt'], 1, 'bad.txt', 'UTF-8', 'byte 2'],
  [['tokens', 'folder'], 1, 'folder'],
  [['tokens', 'special.txt', '--allowed-special', '<|eos|>'], 2, '<|eos|>'],
  [['neighbors', 'model', 'a', '--top', '0'], 2, '--top', 'from 1 on'],
  [['analogy', 'model', 'a', 'b', 'c', '--top', '0'], 2, '--top', 'from 1 on'],
  [['plot', 'model', '--out', 'x.svg', '--top', '0'], 2, '--top', 'from 3 on'],
  [['train', 'a.txt', '--objective', 'cbow', '--out', 'model', '--epochs', '0'], 2, '--epochs', 'from 1 on'],
  [['help', 'plt'], 2, "unknown command 'plt'", 'plot'],
]

for (const [args, code, ...parts] of CASES) {
  test(`tokenbed ${args.join(' ')}`, async (t) => {
    const cwd = folder()
    const before = readdirSync(cwd)
    await fails(t, args, code, parts, { cwd })
    t.deepEqual(readdirSync(cwd), before)
  })
}

/** Bytes, and the position of the first that are not UTF-8. */
const NO_UTF8: [bytes: number[], at: number, byte: string][] = [
  [[0x61, 0x62, 0x63, 0xff, 0x64], 3, 'ff'],
  [[0x61, 0x62, 0x63, 0xc3, 0x28], 3, 'c3'],
  [[0x61, 0xe2, 0x82], 1, 'e2'],
  [[0xe2, 0x82, 0x28], 0, 'e2'],
  [[0xc3, 0xa9, 0x80, 0x61], 2, '80'],
  [[0x61, 0xc0, 0x80], 1, 'c0'],
  [[0x61, 0xed, 0xa0, 0x80], 1, 'ed'],
  [[0xf0, 0x9f, 0x90, 0xb3, 0xf0, 0x9f, 0x90], 4, 'f0'],
  [[0xf0, 0x80, 0x80, 0x80], 0, 'f0'],
  [[0x61, 0xf5, 0x61], 1, 'f5'],
  [[...Buffer.from('é'.repeat(200_000)), 0xe2, 0x28], 400_000, 'e2'],
  [[...Buffer.from(`a${'é'.repeat(200_000)}`), 0xa9], 400_001, 'a9'],
]

test('every command reports the same position of invalid UTF-8, for files and stdin', async (t) => {
  const cwd = folder()
  for (const [bytes, at, byte] of NO_UTF8) {
    const input = Buffer.from(bytes)
    writeFileSync(join(cwd, 'no.txt'), input)
    for (const args of [
      ['tokens', 'no.txt'],
      ['tokens', '-', '--count'],
      ['embed', 'no.txt', ...OUT],
      ['embed', '-', ...OUT],
    ]) {
      const { code, stderr } = await command(args, { cwd, input })
      t.is(code, 1)
      t.true(
        stderr.includes(`byte 0x${byte} is not UTF-8, which text must be (at byte ${at})`),
        `${args.join(' ')}: ${stderr}`,
      )
    }
  }
})

test('the position of invalid UTF-8 is right if bytes come one by one', async (t) => {
  const one = async function* (bytes: number[]) {
    for (const byte of bytes) yield Buffer.of(byte)
  }
  for (const [bytes, at] of NO_UTF8.filter(([bytes]) => bytes.length < 10)) {
    const read = async () => {
      for await (const text of decode(one(bytes), 'it', 'throw')) t.is(typeof text, 'string')
    }
    t.regex((await t.throwsAsync(read)).message, new RegExp(`at byte ${at}\\)`))
  }
})

test('without a command the help is printed to stderr', async (t) => {
  const { code, stdout, stderr } = await command([])
  t.is(code, 2)
  t.is(stdout, '')
  t.regex(stderr, /^Usage: tokenbed /)
})

test('TOKENBED_DEBUG=1 adds the stack', async (t) => {
  const { code, stderr } = await command(['embed', 'missing.txt', ...OUT], { env: { TOKENBED_DEBUG: '1' } })
  t.is(code, 1)
  t.regex(stderr, /^tokenbed: missing\.txt: no such file or directory\n.*\n +at /)
})

test('an existing file stays if the work fails', async (t) => {
  const cwd = folder()
  writeFileSync(join(cwd, 'x.npy'), 'old')
  await fails(
    t,
    ['embed', 'a.txt', 'bad.txt', '--dim', '8', '--max-length', '2', '--batch-size', '1', '--out', 'x.npy'],
    1,
    ['bad.txt'],
    { cwd },
  )
  t.is(readFileSync(join(cwd, 'x.npy'), 'utf8'), 'old')
})

test('reports a file that may not be read', async (t) => {
  const isRoot = process.getuid?.() === 0
  // Root may read all: the command is run as somebody else, where that one may run it.
  const uid = isRoot ? 65534 : undefined
  if (
    process.platform === 'win32' ||
    (isRoot && (await command(['--version'], { uid }).catch(() => null))?.code !== 0)
  ) {
    return void t.log('skipped: no user here who may run the command and may not read a file')
  }
  const cwd = folder()
  chmodSync(cwd, 0o777)
  chmodSync(join(cwd, 'a.txt'), 0)
  await fails(t, ['embed', 'a.txt', ...OUT], 1, ['a.txt: permission denied'], { cwd, uid })
  chmodSync(cwd, 0o555)
  await fails(t, ['embed', 'special.txt', '--allowed-special', 'all', ...OUT], 1, ['x.safetensors'], { cwd, uid })
  await fails(
    t,
    ['train', 'special.txt', '--objective', 'skip-gram', '--min-count', '1', '--out', '.'],
    1,
    ['--out .: permission denied'],
    { cwd, uid },
  )
})

test('reports a full disk', async (t) => {
  const disk = mkdtempSync(join(base, 'disk-'))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status !== 0) {
    return void t.log('skipped: no file system can be mounted here')
  }
  try {
    const text = join(folder(), 'long.txt')
    writeFileSync(text, 'word '.repeat(20_000))
    for (const out of ['x.safetensors', 'x.npy']) {
      await fails(t, ['embed', text, '--dim', '16', '--out', join(disk, out)], 1, [out, 'No space left'])
      t.deepEqual(readdirSync(disk), [])
    }
  } finally {
    spawnSync('umount', [disk])
  }
})

test('reports a failed write to stdout', async (t) => {
  if (!existsSync('/dev/full') || !statSync('/dev/full').isCharacterDevice())
    return void t.log('skipped: there is no /dev/full')
  const shell = spawnSync(
    'sh',
    ['-c', '"$0" "$1" tokens hello > /dev/full', process.execPath, join(__dirname, '../../cli/main.js')],
    { encoding: 'utf8' },
  )
  t.is(shell.status, 1)
  t.is(shell.stderr, 'tokenbed: standard output: no space left on device\n')
})
