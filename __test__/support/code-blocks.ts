// The blocks of code of the project's pages.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './golden.js'

export interface CodeBlock {
  readonly page: string
  /** The line of the page that its first line is. */
  readonly line: number
  /** As the fence names it; empty where it does not. */
  readonly language: string
  readonly code: string
}

/** Of a page of Markdown, in their order. */
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
