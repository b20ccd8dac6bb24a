// tokenbed completions: the shells themselves are asked what they complete.

import test from 'ava'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { command, fails, output } from '../support/command.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const has = (shell: string, ...args: string[]) => spawnSync(shell, args.length > 0 ? args : ['--version']).status === 0
const inBash = has('bash') ? test : test.skip
const inZsh = has('zsh') ? test : test.skip
const inFish = has('fish') ? test : test.skip

/** The words before a cursor, and what may stand there. */
const CASES: [words: string[], some: string[], none: string[]][] = [
  [['em'], ['embed'], ['tokens']],
  [['tokens', '--dt'], [], ['--dtype']],
  [['embed', '--dt'], ['--dtype'], ['--dim']],
  [['embed', '--dtype', 'bf'], ['bfloat16'], ['float32']],
  [['quantize', 'x.npy', '--dtype', 'in'], ['int8', 'int4', 'int2'], ['float16']],
  [['train', 'x.txt', '--objective', 'skip'], ['skip-gram'], ['cbow']],
  [['queue', 'st'], ['status'], ['add']],
  [['queue', 'work', '--gr'], ['--grace'], ['--parts']],
  [['help', 'quant'], ['quantize'], ['queue']],
  [['completions', 'z'], ['zsh'], ['bash']],
  [['--ver'], ['--version'], ['--help']],
]

async function script(t: import('ava').ExecutionContext, shell: string): Promise<string> {
  const path = join(mkdtempSync(join(base, 'x-')), `tokenbed.${shell}`)
  writeFileSync(path, await output(t, ['completions', shell]))
  return path
}

/** What a shell prints, which must succeed and say nothing else. */
function printed(t: import('ava').ExecutionContext, shell: string, args: string[]): string {
  const { status, stdout, stderr } = spawnSync(shell, args, { encoding: 'utf8', cwd: base })
  t.deepEqual([status, stderr], [0, ''])
  return stdout
}

inBash('bash completes commands, options and values', async (t) => {
  const path = await script(t, 'bash')
  for (const [words, some, none] of CASES) {
    const ask = `source ${path}; COMP_WORDS=(tokenbed "$@"); COMP_CWORD=$#; _tokenbed; printf '%s\\n' "\${COMPREPLY[@]}"`
    const found = printed(t, 'bash', ['--norc', '-c', ask, 'bash', ...words]).split('\n')
    t.deepEqual(
      some.filter((one) => !found.includes(one)),
      [],
      words.join(' '),
    )
    t.deepEqual(
      none.filter((one) => found.includes(one)),
      [],
      words.join(' '),
    )
  }
  const ask = `source ${path}; COMP_WORDS=(tokenbed embed --dtype = bf); COMP_CWORD=4; _tokenbed; printf '%s\\n' "\${COMPREPLY[@]}"`
  t.is(printed(t, 'bash', ['--norc', '-c', ask]), 'bfloat16\n')
})

inZsh('zsh takes the functions, and is told each command and option', async (t) => {
  const path = await script(t, 'zsh')
  printed(t, 'zsh', ['-f', '-n', path])
  // Outside of its line editor zsh completes nothing, so what would do it shows what it was told.
  const told = `compdef() { print compdef $* }; source ${path}
    _describe() { print -rl -- $commands }; _arguments() { print -rl -- "$@"; state=$wanted; line=($words[2,-1]); return 1 }`
  const commands = printed(t, 'zsh', ['-f', '-c', `${told}; wanted=command; _tokenbed`])
  t.true(commands.startsWith('compdef _tokenbed tokenbed\n'), commands)
  t.true(commands.includes('\nquantize:store tables in fewer bits\n'), commands)
  const options = printed(t, 'zsh', ['-f', '-c', `${told}; wanted=rest; words=(tokenbed embed); _tokenbed; true`])
  t.true(options.includes('(float32 float16 bfloat16 int8 binary)\n'), options)
  t.regex(options, /^--out=\[file for the vectors.*\]:value:_files$/m)
})

inFish('fish completes commands, options and values', async (t) => {
  const path = await script(t, 'fish')
  for (const [words, some, none] of CASES) {
    const ask = `source ${path}; complete -C "tokenbed ${words.join(' ')}"`
    const found = printed(t, 'fish', ['--no-config', '-c', ask])
      .split('\n')
      .map((line) => line.split('\t')[0])
    t.deepEqual(
      some.filter((one) => !found.includes(one)),
      [],
      words.join(' '),
    )
    t.deepEqual(
      none.filter((one) => found.includes(one)),
      [],
      words.join(' '),
    )
  }
})

test('every command and every long option of the help is there', async (t) => {
  const scripts = await Promise.all(['bash', 'zsh', 'fish'].map((shell) => output(t, ['completions', shell])))
  const { stdout } = await command(['--help'])
  const names = [...stdout.matchAll(/^ {2}([a-z]+) (?!\[options\] \[command\]$).*$/gm)].map(([, name]) => name)
  t.true(names.length > 15)
  for (const name of names) {
    const help = (await command([name, '--help'])).stdout
    const options = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option)
    t.true(options.length > 0, name)
    for (const [i, its] of scripts.entries())
      for (const option of options)
        t.true(its.includes(i === 2 ? `-l ${option.slice(2)}` : option), `${name} ${option}`)
  }
})

test('a shell that is not known is named', async (t) => {
  await fails(t, ['completions', 'tcsh'], 2, ['tcsh', 'bash, zsh, fish'])
  await fails(t, ['completions'], 2, ['shell'])
})
