// What jobs say, read with care: anybody who reaches the server can add one.

import type { Job } from 'bullmq'
import { FormatError } from '../base/errors.js'
import { isObject } from '../base/validate.js'
import type { FailedPart } from './place.js'
import { isPartDone, readPlan, type ReadPlan } from './plan.js'

/** A part of a plan, as a job names it. */
export interface PartOfPlan {
  readonly folder: string
  /** The SHA-256 of the plan. */
  readonly plan: string
  readonly index: number
  readonly count: number
}

/** What is known of a job that failed; none if it is not a job of a plan. */
export function failedPart(job: Job | undefined): FailedPart[] {
  if (job === undefined) return []
  const part = partOf(job.data)
  if (part === null || isPartDoneIn(part)) return []
  const { folder, index, count } = part
  return [{ folder, index, count, reason: job.failedReason ?? '', attempts: job.attemptsMade }]
}

/** Another worker may have done what failed here. */
function isPartDoneIn(part: PartOfPlan): boolean {
  try {
    const plan = readPlan(part.folder, 'status')
    return plan.sha256 === part.plan && isPartDone(plan, part.index)
  } catch {
    return false
  }
}

/** Reads what a job says; null if it is not a job of a plan. */
export function partOf(data: unknown): PartOfPlan | null {
  if (!isObject(data)) return null
  const { folder, plan, index, count } = data as Partial<PartOfPlan>
  const isSize = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value)
  if (typeof folder !== 'string' || folder === '' || typeof plan !== 'string' || !isSize(index) || !isSize(count))
    return null
  return index >= 0 && index < count ? { folder, plan, index, count } : null
}

/** The plan that a part belongs to. */
export function planOfPart({ folder, plan: digest, count, index }: PartOfPlan, where: string): ReadPlan {
  const plan = readPlan(folder, where)
  if (plan.sha256 !== digest || plan.parts !== count)
    throw new FormatError(
      `${plan.folder} has the plan ${plan.sha256}, and the job of part ${index} names ${digest}: it was begun anew since`,
      plan.folder,
      0,
    )
  return plan
}
