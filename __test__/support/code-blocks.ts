// The code blocks of the project's pages.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './golden.js'

export interface CodeBlock {
  readonly page: string
  /** Line number of the first line of the block. */
  readonly line: number
  /** The language of the fence; empty if it has none. */
  readonly language: string
  readonly code: string
}

/** The blocks of a Markdown page, in order. */
export function codeBlocks(page: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  let open: { line: number; language: string; code: string[] } | null = null
  readFileSync(join(root, page), 'utf8')
    .split('\n')
    .forEach((text, i) => {
      const fence = /^```(\w*)$/.exec(text)
      if (fence === null) open?.code.push(text)
      else if (open === null) open = { line: i + 2, language: fence[1], code: [] }
      else {
        blocks.push({ page, line: open.line, language: open.language, code: `${open.code.join('\n')}\n` })
        open = null
      }
    })
  return blocks
}
