// What the site has, in the order in which its pages are read. The build checks that no page of docs/ is missing here.

/** Sections of pages. A page is a path under docs/ without its ending. */
export const SECTIONS = [
  {
    title: 'Guide',
    pages: [
      'concepts',
      'guide/ids',
      'guide/windows',
      'guide/tables',
      'guide/positions',
      'guide/gradients',
      'guide/training',
      'guide/text-to-vectors',
      'guide/pipelines',
      'guide/machines',
      'guide/install',
    ],
  },
  { title: 'In depth', pages: ['vectors', 'explore', 'search', 'corpora', 'hosts', 'speed', 'features'] },
  {
    title: 'Cookbook',
    pages: ['cookbook/text', 'cookbook/tables', 'cookbook/training', 'cookbook/vectors', 'cookbook/files'],
  },
  { title: 'Coming from', pages: ['from/pytorch', 'from/gensim', 'from/transformers-js', 'from/tfjs'] },
  {
    title: 'Look up',
    pages: ['command-line', 'commands', 'variables', 'errors', 'troubleshooting', 'schemes'],
  },
  {
    title: 'API',
    pages: [
      'api/tensors',
      'api/layers',
      'api/positions',
      'api/losses',
      'api/optimizers',
      'api/text',
      'api/training',
      'api/models',
      'api/vectors',
      'api/search',
      'api/text-to-vectors',
      'api/pipelines',
      'api/files',
      'api/rows',
      'api/queue',
      'api/arrow',
      'api/process',
    ],
  },
  {
    title: 'Project',
    pages: ['project/architecture', 'project/contributing', 'project/changelog', 'project/security'],
  },
]

/** The project's pages outside of docs/ that are on the site, each with its place there. */
export const ELSEWHERE = {
  'README.md': 'index.md',
  'ARCHITECTURE.md': 'project/architecture.md',
  'CONTRIBUTING.md': 'project/contributing.md',
  'CHANGELOG.md': 'project/changelog.md',
  'SECURITY.md': 'project/security.md',
}

/**
 * The groups of the API reference: what index.ts, queue.ts and arrow.ts export belongs to the first group that names
 * the file or the folder of api/ which it comes from.
 */
export const GROUPS = {
  'api/positions': ['layers/positions'],
  'api/losses': ['layers/losses', 'layers/linear', 'layers/functional'],
  'api/layers': ['layers'],
  'api/process': ['memory/process', 'base/errors', 'base/json', 'base/validate'],
  'api/tensors': ['base', 'tensor', 'autograd', 'memory'],
  'api/optimizers': ['optim'],
  'api/text': ['text'],
  'api/training': ['train'],
  'api/models': ['models', 'surgery', 'vectors/prediction'],
  'api/vectors': ['vectors'],
  'api/search': ['search'],
  'api/text-to-vectors': ['embed'],
  'api/pipelines': ['pipelines', 'files/token-folder'],
  'api/files': ['files', 'pretrained'],
  'api/rows': ['rows'],
  'api/queue': ['queue'],
  'api/arrow': ['arrow'],
}
