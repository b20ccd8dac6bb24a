import webpack from 'webpack'
import config from './webpack.config.mjs'

webpack(config, (error, stats) => {
  if (error) throw error
  console.log(stats.toString({ colors: false, chunks: false }))
  if (stats.hasErrors() || stats.hasWarnings()) process.exitCode = 1
})
