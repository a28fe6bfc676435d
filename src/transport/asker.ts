/** Queries whose failure ends the connection: what both dialing roles do in their handshakes and status polls. */
import { type Log, toCocoonError } from '../util/index.ts'
import type { Connection } from './types.ts'

export interface Ask {
  readonly query: Uint8Array
  readonly timeoutMs: number
  /** Gets the answer. What it throws ends the connection too. */
  onAnswer(answer: Uint8Array): void
}

/** The reason goes into the log once, unless the connection had ended by itself. */
export function createAsker(connection: Connection, log: Log): (ask: Ask) => void {
  return ({ query, timeoutMs, onAnswer }) => {
    connection
      .query(query, { timeoutMs })
      .then(onAnswer)
      .catch((error: unknown) => {
        const why = toCocoonError(error, 'protocol.handshake')
        if (connection.open) log.warn('the connection is given up', { reason: why.message, code: why.code })
        connection.close(why)
      })
  }
}
