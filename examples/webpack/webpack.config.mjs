// tokenbed stays outside of the bundle: its binary and its vocabularies are files that it finds beside itself, so it is
// installed where the bundle runs: npm install tokenbed
export default {
  mode: 'production',
  target: 'node',
  context: import.meta.dirname,
  entry: './main.js',
  output: { path: `${import.meta.dirname}/dist`, filename: 'main.js' },
  externals: { tokenbed: 'commonjs tokenbed' },
}
