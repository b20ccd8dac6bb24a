// Settings of ava on musl: every spec of the clone, as in package.json, with more time, since musl's own allocator and
// string functions are slower than glibc's.
export default {
  files: ['dist/__test__/**/*.spec.js'],
  snapshotDir: 'testdata/snapshots',
  timeout: '10m',
  workerThreads: false,
}
