// The width of text in a terminal, and a progress bar.
export { SingleBar } from 'cli-progress'
export { default as stringWidth } from 'string-width'
