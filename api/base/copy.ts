// Which copy of the package an object comes from: a process may load several, of one version or of two, and the classes
// of one know nothing of the objects of another.

/** What all copies call the property that says where an object's copy is. */
export const COPY = Symbol.for('tokenbed.copy')

/** The folder of this copy's code. Its identity, not its text, tells copies apart. */
const OWN = { folder: __dirname }

/** The property `COPY` of the classes of this copy. */
export const OWN_COPY: PropertyDescriptor = { value: OWN }

/** What an object of another copy is, with what to do; undefined for all else. */
export function shownOfOther(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  try {
    const { [COPY]: copy, constructor } = value as { [COPY]?: unknown; constructor?: { name?: unknown } }
    if (copy === undefined || copy === OWN) return undefined
    const kind = typeof constructor?.name === 'string' ? constructor.name : 'object'
    const { folder } = copy as { folder?: unknown }
    return `a ${kind} of another copy of tokenbed (${String(folder)}, where this one is ${OWN.folder}): install one copy for both, or make a new one here from its data`
  } catch {
    // Somebody's accessor or proxy throws; it is shown like any other value.
    return undefined
  }
}
