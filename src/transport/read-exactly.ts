/** Reads the clear-text bytes before TLS and not one more: what follows belongs to the handshake. */
import type { Socket } from 'node:net'
import { transportError } from './errors.ts'

/**
 * The next `count` bytes. Bytes behind them stay in the socket's buffer, where TLS finds them. Rejects with the socket's
 * error, or `protocol.lost` when it ends first.
 */
export function readExactly(socket: Socket, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const onReadable = (): void => {
      const bytes = socket.read(count) as Buffer | null
      // At the end of the stream `read` hands out what is left, which may be short.
      if (bytes !== null)
        settle(() => (bytes.length === count ? resolve(bytes) : reject(transportError('protocol.lost'))))
    }
    const onError = (error: Error): void => settle(() => reject(error))
    const onEnd = (): void => settle(() => reject(transportError('protocol.lost')))
    const settle = (then: () => void): void => {
      socket.off('readable', onReadable).off('error', onError).off('end', onEnd).off('close', onEnd)
      then()
    }
    socket.on('readable', onReadable).on('error', onError).on('end', onEnd).on('close', onEnd)
    if (socket.destroyed) onEnd()
    else onReadable()
  })
}
