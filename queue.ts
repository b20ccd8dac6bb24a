// The entry `tokenbed/queue`: the parts of a corpus as jobs of BullMQ.

// This import comes first, to report a package that is not complete before other imports fail.
import './api/native/whole.js'

export { addJobs, status, type AddedJobs, type AddJobsOptions, type QueueStatus } from './api/queue/jobs.js'
export { plan, type PlanOptions, type QueuePlan } from './api/queue/plan.js'
export { work, type OpenedModel, type WorkEvent, type WorkOptions, type WorkResult } from './api/queue/work.js'
export { QueueError } from './api/queue/errors.js'
export type { FailedPart, QueueConnection, QueuePlace } from './api/queue/place.js'
