// Wraps comment lines that are too long, because formatters leave them as they are.

/** Largest length of a line, of code and of comments. .oxfmtrc.json and rustfmt.toml have the same limit for code. */
export const MAX_LENGTH = 120

/** A line that holds only a comment: its indentation and marker, and its text. */
const LINE = /^(\s*(?:\/\/[/!]?|\*))( .*)$/
/** A directive to a tool, which must stay on one line. */
const DIRECTIVE = /^ ?(?:@ts-|[\w-]+-(?:ignore|disable|enable)|cspell:)/
/**
 * The start of something that must not join the paragraph before: an item, table row, heading, tag, quotation or
 * code.
 */
const NOT_PROSE = /^(?:[-*+|#>@<]|\d+[.)] |```| {4}|$)/

/**
 * The text with every comment line wrapped that is too long. The rest of a line begins the next line of its
 * paragraph.
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

/** Whether the next line continues the paragraph of this one. */
function goesOn(words, next) {
  return isProse(next) && !NOT_PROSE.test(next.trimStart()) && indentOf(next) === indentOf(words, true)
}

/** Whether a line may be wrapped. Tables and directives must stay as they are; items of lists are prose. */
function isProse(words) {
  return !DIRECTIVE.test(words) && !/^ (?: {4}|[|#@<])/.test(words) && !/\S {3,}\S/.test(words)
}

/** Number of characters between the marker and the text; `after` asks for the lines that continue an item. */
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
  // Neither within `code` nor before something that would begin a list or a heading.
  while (at > least && (isInCode(line, at) || NOT_PROSE.test(line.slice(at + 1)))) at = line.lastIndexOf(' ', at - 1)
  return at > least ? [line.slice(0, at), line.slice(at + 1)] : [line]
}

function isInCode(line, at) {
  return (line.slice(0, at).split('`').length - 1) % 2 === 1
}

/** Opens one-line comments that are too long, so that they can be wrapped. */
function opened(lines) {
  return lines.flatMap((line) => {
    const [, indent, words] = /^(\s*)\/\*\*( .*\S) ?\*\/$/.exec(line) ?? []
    if (indent === undefined || line.length <= MAX_LENGTH) return [line]
    return [`${indent}/**`, `${indent} *${words}`, `${indent} */`]
  })
}
