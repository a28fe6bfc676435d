/** The worker: offers a model, validates requests, runs them on an engine and reports what they used. */
export { startWorkerNode, type WorkerDeps, type WorkerNode } from './node.ts'
export { type WorkerOptions, workerOptions } from './options.ts'
