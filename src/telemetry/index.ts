/** Traces to an OpenTelemetry collector. Decides nothing about requests; what cannot be sent is dropped and counted. */
export { createOtlpTrace, type OtlpDeps, type OtlpTrace, postSpans } from './otlp.ts'
export { telemetryOptions } from './options.ts'
