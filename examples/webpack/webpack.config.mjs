// tokenbed stays outside of the bundle, because it finds its binary and its vocabularies beside itself. Install it
// where the bundle runs: npm install tokenbed
export default {
  mode: 'production',
  target: 'node',
  context: import.meta.dirname,
  entry: './main.js',
  output: { path: `${import.meta.dirname}/dist`, filename: 'main.js' },
  externals: { tokenbed: 'commonjs tokenbed' },
}
