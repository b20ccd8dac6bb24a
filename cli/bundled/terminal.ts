// How wide text is in a terminal, and a bar that moves there.
export { SingleBar } from 'cli-progress'
export { default as stringWidth } from 'string-width'
