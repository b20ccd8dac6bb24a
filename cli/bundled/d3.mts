// Scales and lines for pictures.
export { scaleLinear } from 'd3-scale'
export { line } from 'd3-shape'
