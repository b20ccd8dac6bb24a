/** Runs a step on files that may fail: they stay as they were then. @internal */
export function quietly(step: () => void): void {
  try {
    step()
  } catch {
    // Nothing depends on it.
  }
}
