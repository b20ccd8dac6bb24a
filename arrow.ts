// tokenbed/arrow: files of Arrow and Parquet, by packages that their users install.

// This import comes first, to report a package that is not complete before other imports fail.
import './api/native/whole.js'

export { loadArrow, saveArrow } from './api/arrow/ipc.js'
export { loadParquet, saveParquet } from './api/arrow/parquet.js'
export type { LoadTableOptions, SaveTableOptions, VectorTable } from './api/arrow/table.js'
