/** What every other folder may use, and what works in a browser: bytes, errors, clock, log, metrics, money, secrets. */
export * from './bytes.ts'
export * from './clock.ts'
export * from './errors.ts'
export * from './log.ts'
export * from './metrics.ts'
export * from './money.ts'
export * from './secret.ts'
