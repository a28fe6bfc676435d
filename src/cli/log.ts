/** The log that a process writes: pino, pretty for people and JSON for machines. */
import { pino } from 'pino'
import { PinoPretty } from 'pino-pretty'
import type { Log, LogFields } from '../util/index.ts'
import type { Config } from './schema.ts'

/** @param role names the process in every line */
export function createLog(options: Config['log'], role: string, target: NodeJS.WriteStream): Log {
  const pretty = options.format === 'pretty' || (options.format === 'auto' && target.isTTY)
  const stream = pretty
    ? PinoPretty({
        destination: target,
        colorize: target.isTTY,
        translateTime: 'SYS:HH:MM:ss.l',
        ignore: 'pid,hostname,role',
        messageFormat: '[{role}] {msg}',
        sync: true,
      })
    : target
  return wrap(
    pino(
      {
        level: options.level,
        base: { role },
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      stream,
    ),
  )
}

function wrap(logger: pino.Logger): Log {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: LogFields) => {
    // Most nodes leave most levels off, and some lines are written per request.
    if (logger.isLevelEnabled(level)) logger[level](plain(fields), message)
  }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => wrap(logger.child(plain(fields))),
  }
}

/** JSON has no bigint. */
function plain(fields: LogFields = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'bigint' ? value.toString() : value]),
  )
}
