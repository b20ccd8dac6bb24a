// Wraps the lines of comments that are too long, which formatters leave as they are.

/** The longest line, of code and of comments: .oxfmtrc.json and rustfmt.toml say the same of code. */
export const MAX_LENGTH = 120

/** A line that is a comment and nothing else: its indentation and marker, and its words. */
const LINE = /^(\s*(?:\/\/[/!]?|\*))( .*)$/
/** Directives to a tool, which must stay in one line. */
const DIRECTIVE = /^ ?(?:@ts-|[\w-]+-(?:ignore|disable|enable)|cspell:)/
/** What begins something of its own: an item of a list, a row of a table, a heading, a tag, a quotation, code. */
const NOT_PROSE = /^(?:[-*+|#>@<]|\d+[.)] |```| {4}|$)/

/**
 * The text with every comment's line broken that is too long; what is left over begins the next line of its paragraph.
 */
export function wrapComments(text) {
  const lines = opened(text.split('\n'))
  const out = []
  let fenced = false
  for (let i = 0; i < lines.length; i++) {
    const [, marker, words] = LINE.exec(lines[i]) ?? []
    if (marker === undefined) fenced = false
    else if (words.trimStart().startsWith('```')) fenced = !fenced
    const [line, rest] = marker === undefined || fenced || !isProse(words) ? [lines[i]] : split(marker, words)
    out.push(line)
    if (rest === undefined) continue
    const next = LINE.exec(lines[i + 1] ?? '')
    const start = `${marker}${' '.repeat(indentOf(words, true))}${rest}`
    if (next?.[1] === marker && goesOn(words, next[2])) lines[i + 1] = `${start} ${next[2].trimStart()}`
    else lines.splice(i + 1, 0, start)
  }
  return out.join('\n')
}

/** Whether the next line goes on with what this one says. */
function goesOn(words, next) {
  return isProse(next) && !NOT_PROSE.test(next.trimStart()) && indentOf(next) === indentOf(words, true)
}

/** Tables and directives stay as they are; items of lists may be wrapped, as what they say is prose. */
function isProse(words) {
  return !DIRECTIVE.test(words) && !/^ (?: {4}|[|#@<])/.test(words) && !/\S {3,}\S/.test(words)
}

/** How far the words stand from the marker; `after`: the lines after this one, which stand below an item's words. */
function indentOf(words, after = false) {
  const item = /^( +)((?:[-*+]|\d+[.)]) )?/.exec(words)
  return item[1].length + (after && item[2] !== undefined ? item[2].length : 0)
}

/** The line as long as it may be, and the words that are left over, if any. */
function split(marker, words) {
  const line = `${marker}${words}`
  if (line.length <= MAX_LENGTH) return [line]
  if (line.endsWith('-----')) return [line.slice(0, MAX_LENGTH)]
  const least = marker.length + indentOf(words, true)
  let at = line.lastIndexOf(' ', MAX_LENGTH)
  // Not within `code`, and not before what would begin a list or a heading.
  while (at > least && (isInCode(line, at) || NOT_PROSE.test(line.slice(at + 1)))) at = line.lastIndexOf(' ', at - 1)
  return at > least ? [line.slice(0, at), line.slice(at + 1)] : [line]
}

function isInCode(line, at) {
  return (line.slice(0, at).split('`').length - 1) % 2 === 1
}

/** A comment that is one line, and too long for that, becomes one of several. */
function opened(lines) {
  return lines.flatMap((line) => {
    const [, indent, words] = /^(\s*)\/\*\*( .*\S) ?\*\/$/.exec(line) ?? []
    if (indent === undefined || line.length <= MAX_LENGTH) return [line]
    return [`${indent}/**`, `${indent} *${words}`, `${indent} */`]
  })
}
