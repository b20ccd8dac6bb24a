// Settings of ava where processes cannot start one another, as under QEMU. The specs run in worker threads, one after
// the other, because some measure the whole process.
export default {
  files: [
    'layers/embedding',
    'layers/bag',
    'layers/quantize',
    'layers/token-position',
    'tensor/random',
    'text/padding',
    'files/safetensors',
    'files/npy',
    'text/loader',
    'text/decoder',
    'layers/bad-ids',
    'memory/scope',
    'tensor/tensor',
  ].map((name) => `dist/__test__/${name}.spec.js`),
  snapshotDir: 'testdata/snapshots',
  timeout: '10m',
  concurrency: 1,
  workerThreads: true,
}
