/** Settings of tracing. */
import { z } from 'zod'

export const telemetryOptions = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'Where an OpenTelemetry collector takes traces over HTTP (`http://127.0.0.1:4318/v1/traces`). Without one nothing is traced',
    ),
  ratio: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Share of the requests that are traced; give all nodes the same, so that they trace the same requests'),
})
