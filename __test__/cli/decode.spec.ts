// Tests what tokenbed decode prints.

import test from 'ava'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from '../../index.js'
import { command, fails, output } from '../support/command.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = mkdtempSync(join(temporaryFolder(), 'x-'))
const TEXT = 'naïve ☃ 𝄞\r\n\tbytes<|endoftext|>\n'

test('ids of arguments, files and stdin give their text', async (t) => {
  t.is(await output(t, ['decode', '15496', '11', '995', '0']), 'Hello, world!')
  t.is(await output(t, ['decode', '[15496, 11,995', '0]']), 'Hello, world!')
  const ids = await output(t, ['tokens', '--ids', TEXT])
  t.is(await output(t, ['decode', '-'], { input: ids }), TEXT)
  t.is(await output(t, ['decode'], { input: '' }), '')
  const file = join(folder, 'ids.json')
  writeFileSync(file, JSON.stringify([...Tokenizer.load('o200k_base').encode(TEXT, { allowedSpecial: 'all' })]))
  t.is(await output(t, ['decode', file, '--tokenizer', 'o200k_base']), TEXT)
  t.is(
    await output(t, ['decode', file, '--tokenizer', 'o200k_base', '--skip-special-tokens']),
    TEXT.replace('<|endoftext|>', ''),
  )
})

test('ids that parts of a large file divide are whole', async (t) => {
  const text = 'A whale, and another whale. '.repeat(30_000)
  const file = join(folder, 'many.txt')
  writeFileSync(file, Tokenizer.load('gpt2').encode(text).join('\n'))
  const { stdout, code } = await command(['decode', file])
  t.is(code, 0)
  t.true(stdout === text)
})

test('what is no id is told with its place', async (t) => {
  await fails(t, ['decode', '15496', 'x'], 1, ['"x" is not a token id'])
  await fails(t, ['decode', '1', '-1'], 1, ['"-1" is not a token id'])
  await fails(t, ['decode', '1', '2.5'], 1, ['"2.5" is not a token id'])
  await fails(t, ['decode', '1', '2', '50257'], 1, ['50257, number 3 of the ids, is not a token of gpt2'])
  await fails(t, ['decode', '1', '9999999999999999999'], 1, ['is not a token id'])
  await fails(t, ['decode', '1', '--tokenizer', 'none'], 2, ['none'])
})
