// Tests what the command shows in a terminal.

import test, { type ExecutionContext } from 'ava'
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { barLine } from '../../cli/terminal/progress.js'
import { command, pty, Screen } from '../support/command.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
/** Skips tests on platforms for which the package has no pseudo-terminals. */
const inTerminal = pty ? test : test.skip

/** A folder with a text that takes a few seconds to write. */
function folder(megabytes = 0): string {
  const path = mkdtempSync(join(base, 'x-'))
  writeFileSync(
    join(path, 'book.txt'),
    'It was the best of times, it was the worst of times.\n'.repeat(1 + megabytes * 19_000),
  )
  return path
}

async function shows(t: ExecutionContext, screen: Screen): Promise<string> {
  t.is(await screen.ended, 0)
  return (await screen.lines()).join('\n')
}

inTerminal('tokens are painted, wrapped and numbered', async (t) => {
  const text = 'Hello, naïve café! ☃\ttabs\nand <|endoftext|> \u001b[31m𓀀'
  for (const columns of [80, 21]) {
    const screen = new Screen(['tokens', '--text', text], { columns })
    t.snapshot(await shows(t, screen), `${columns} columns`)
    t.snapshot(JSON.stringify(screen.raw), `${columns} columns, as sent`)
  }
})

inTerminal('no colour is sent where none is wanted', async (t) => {
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
    const screen = new Screen(['tokens', 'Hello, world!'], { env })
    t.is(
      await shows(t, screen),
      '15496   Hello\n11      ,\n995     ·world\n0       !\n\n4 tokens, 13 characters, 13 bytes, 3.25 characters per token',
    )
    t.false(screen.raw.includes('\u001b'), JSON.stringify(screen.raw))
  }
})

inTerminal('sixteen colours will do', async (t) => {
  const screen = new Screen(['tokens', 'Hello, world!'], { env: { TERM: 'xterm' } })
  await shows(t, screen)
  t.true(screen.raw.includes('\u001b[30;46mHello\u001b[0m'), JSON.stringify(screen.raw))
})

test('FORCE_COLOR paints in a pipe', async (t) => {
  const { stdout } = await command(['tokens', 'Hello, world!'], { env: { FORCE_COLOR: '2', TERM: 'xterm-256color' } })
  t.true(stdout.startsWith('\u001b[38;5;16;48;5;153mHello\u001b[0m'), JSON.stringify(stdout))
})

inTerminal('without an argument tokens asks for a text', async (t) => {
  const screen = new Screen(['tokens'])
  t.is(await screen.ended, 2)
  t.regex((await screen.lines()).join('\n'), /^tokenbed: what text\?/)
})

inTerminal('embed without files reads from the terminal, and says so', async (t) => {
  const cwd = folder()
  const screen = new Screen(['embed', '--dim', '8', '--out', 'x.npy'], { cwd })
  await screen.until(/Ctrl-D/)
  screen.process.write('Hello, world!\r')
  screen.process.write('\u0004')
  t.regex(await shows(t, screen), /standard input: 5 tokens in 1 window\nx\.npy: float32 \[1, 256, 8\]/)
})

inTerminal('a bar while it works, nothing of it afterwards', async (t) => {
  const screen = new Screen(['embed', 'book.txt', '--dim', '64', '--batch-size', '8', '--out', 'x.npy'], {
    cwd: folder(8),
  })
  const after = (await shows(t, screen)).replace(/[\d.]+ s, [\d.]+[KM] tokens/, 'T s, N tokens')
  t.regex(
    after,
    /^book\.txt: [\d,]+ tokens in [\d,]+ windows\nx\.npy: float32 \[\d+, 256, 64\], \d+ MB, T s, N tokens\/s$/,
  )
  t.true(screen.raw.endsWith('tokens/s\r\n'))
  // This looks at all output afterwards, because on a fast machine a state of the bar may be visible for a moment only.
  const during = screen.raw.split('\u001b[1G')
  t.true(
    during.some((line) => /^█+░* {2}\d+%  [\d.]+[KM]? tokens  [\d.]+[KM]? tokens\/s/.test(line)),
    JSON.stringify(screen.raw),
  )
  for (const [off, on] of [
    ['\u001b[?25l', '\u001b[?25h'],
    ['\u001b[?7l', '\u001b[?7h'],
  ]) {
    t.true(screen.raw.lastIndexOf(off) < screen.raw.lastIndexOf(on), 'cursor and wrapping are as before')
  }
})

inTerminal('the bar follows a terminal that grows narrow', async (t) => {
  const screen = new Screen(['embed', 'book.txt', '--dim', '64', '--batch-size', '8', '--out', 'x.npy'], {
    cwd: folder(8),
    columns: 100,
  })
  await screen.until(/█/)
  screen.resize(24, 24)
  await shows(t, screen)
  t.false(screen.raw.slice(screen.raw.lastIndexOf('░')).includes('░░'), 'no room for a bar')
})

inTerminal('Ctrl-C takes the bar away and leaves nothing behind', async (t) => {
  const cwd = folder(8)
  const screen = new Screen(['embed', 'book.txt', '--dim', '256', '--batch-size', '8', '--out', 'x.npy'], { cwd })
  await screen.until(/█/)
  screen.process.write('\u0003')
  t.is(await screen.ended, 130)
  t.deepEqual(
    (await screen.lines()).filter((line) => line !== '^C'),
    [],
  )
  t.true(screen.raw.lastIndexOf('\u001b[?25l') < screen.raw.lastIndexOf('\u001b[?25h'), 'the cursor is back')
  t.deepEqual(readdirSync(cwd), ['book.txt'])
})

for (const env of [{ CI: 'true' }, { TERM: 'dumb' }]) {
  inTerminal(`no bar with ${JSON.stringify(env)}`, async (t) => {
    const screen = new Screen(['embed', 'book.txt', '--dim', '64', '--out', 'x.npy'], { cwd: folder(1), env })
    t.regex(await shows(t, screen), /tokens\/s$/)
    t.false(/[█\u001b]/.test(screen.raw), JSON.stringify(screen.raw))
  })
}

test('the bar shows as many parts as fit', (t) => {
  const parts = ['42%', '1.23M tokens', '456K tokens/s', '0:07 left']
  t.is(barLine(parts, 0.5, 80), `${'█'.repeat(17)}${'░'.repeat(17)}  42%  1.23M tokens  456K tokens/s  0:07 left`)
  t.is(barLine(parts, 0.5, 30), '█████░░░░░  42%  1.23M tokens')
  t.is(barLine(parts, 0.5, 24), '42%  1.23M tokens')
  t.is(barLine(parts, 0.5, 8), '42%')
  t.is(barLine(parts, 0.5, 3), '42')
  t.is(barLine(parts, null, 80), '42%  1.23M tokens  456K tokens/s  0:07 left')
  for (let columns = 1; columns < 120; columns++) t.true(barLine(parts, 0.3, columns).length < columns || columns === 1)
})

const COMMANDS = [
  'embed',
  'tokens',
  'tokenize',
  'train',
  'queue',
  'verify',
  'neighbors',
  'analogy',
  'search',
  'dedupe',
  'split',
  'inspect',
  'convert',
  'quantize',
  'explore',
  'plot',
  'doctor',
  'schema',
  'completions',
  'help',
]

test('help NAME prints the help of NAME, with each default once', async (t) => {
  const all = await command(['help'])
  t.deepEqual([all.code, all.stderr], [0, ''])
  t.is(all.stdout, (await command(['--help'])).stdout)
  t.true(
    COMMANDS.every((name) => new RegExp(`^  ${name} `, 'm').test(all.stdout)),
    all.stdout,
  )
  for (const name of COMMANDS) {
    const { code, stdout, stderr } = await command(['help', name])
    t.deepEqual([code, stderr], [0, ''])
    t.is(stdout, (await command([name, '--help'])).stdout)
    // An option begins with two spaces and a dash, and includes the lines below it.
    for (const option of stdout.split(/^(?=  -|\S)/m)) t.true(option.split(/\(default:|default:/).length <= 2, option)
  }
})

test('the help texts', async (t) => {
  for (const args of [
    ['--help'],
    ['embed', '--help'],
    ['tokens', '--help'],
    ['decode', '--help'],
    ['train', '--help'],
    ['classify', '--help'],
    ['neighbors', '--help'],
    ['analogy', '--help'],
    ['inspect', '--help'],
    ['convert', '--help'],
    ['quantize', '--help'],
    ['schema', '--help'],
    ['completions', '--help'],
    ['plot', '--help'],
    ['explore', '--help'],
  ]) {
    const { code, stdout, stderr } = await command(args)
    t.is(code, 0)
    t.is(stderr, '')
    t.snapshot(stdout, args.join(' '))
  }
})
