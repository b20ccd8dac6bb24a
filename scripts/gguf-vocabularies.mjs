// Fetches the vocabularies that llama.cpp tests its tokenizers with, and what it expects of them, into
// target/gguf-vocabularies, where __test__/text/tokenizer-gguf.spec.ts finds them. They are in the sources of a Python
// package: pip of the Python in TOKENBED_PYTHON (or python3) downloads 50 MB.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PACKAGE = 'llama_cpp_python'
const VERSION = '0.3.16'
const target = 'target/gguf-vocabularies'
const models = `${PACKAGE}-${VERSION}/vendor/llama.cpp/models`

const folder = mkdtempSync(join(tmpdir(), 'gguf-vocabularies-'))
const run = (program, args) => execFileSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] })
try {
  const pip = ['-m', 'pip', 'download', '--no-deps', '--no-binary', PACKAGE, `${PACKAGE}==${VERSION}`, '-d', folder]
  run(process.env.TOKENBED_PYTHON ?? 'python3', pip)
  const [archive] = readdirSync(folder)
  mkdirSync(target, { recursive: true })
  run('tar', ['-xzf', join(folder, archive), '-C', target, '--strip-components=4', models])
  console.log(`${readdirSync(target).filter((name) => name.endsWith('.gguf')).length} vocabularies in ${target}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
