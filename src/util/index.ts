/** What every other folder may use, and what works in a browser: bytes, errors, clock, log, metrics, money, secrets. */
export * from './abilities.ts'
export * from './bytes.ts'
export * from './clock.ts'
export * from './decayed-rate.ts'
export * from './errors.ts'
export {
  type Form,
  type FormPart,
  parseForm,
  writeForm,
} from './form-data.ts'
export * from './form-stream.ts'
export * from './log.ts'
export * from './metrics.ts'
export * from './money.ts'
export * from './random.ts'
export * from './request-stats.ts'
export * from './secret.ts'
export * from './trace.ts'
