// ava where processes cannot start one another, as under QEMU: the specs run in worker threads, one after the other, as some look
// at what the whole process holds.
export default {
  files: ['embedding', 'bag', 'quantize', 'token-position', 'random', 'padding', 'safetensors', 'npy', 'loader', 'decoder', 'bad-ids', 'scope', 'tensor'].map((name) => `dist/__test__/${name}.spec.js`),
  snapshotDir: 'testdata/snapshots',
  timeout: '10m',
  concurrency: 1,
  workerThreads: true,
}
