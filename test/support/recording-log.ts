/** A log that keeps everything, down to debug, as it would be written out. */
import { inspect } from 'node:util'
import type { Log, LogFields } from '../../src/util/index.ts'

export interface RecordingLog extends Log {
  /** One text per line. */
  readonly lines: readonly string[]
}

export function createRecordingLog(): RecordingLog {
  const lines: string[] = []
  const at = (fields: LogFields): Log => {
    const write =
      (level: string) =>
      (message: string, more: LogFields = {}): void =>
        void lines.push(`${level} ${message} ${inspect({ ...fields, ...more }, { depth: 8, maxStringLength: null })}`)
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      with: (more) => at({ ...fields, ...more }),
    }
  }
  return { ...at({}), lines }
}
