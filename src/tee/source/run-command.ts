/** A program that answers on its standard output, without a shell, with bounds on everything. Node only. */
import { spawn } from 'node:child_process'
import { CocoonError } from '../../util/index.ts'
import { teeError } from '../errors.ts'

export interface CommandOptions {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]]
  readonly maxBytes: number
  readonly signal: AbortSignal
  /** Default: nothing but PATH. */
  readonly env?: Readonly<Record<string, string>>
}

const MAX_STDERR_BYTES = 2048
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What it printed. Rejects with `attestation.evidence-source` (its last words included) or the signal's reason; then it is killed. */
export function runCommand(options: CommandOptions, input: string): Promise<string> {
  const { command, maxBytes, signal, env = { PATH } } = options
  const [program, ...args] = command
  const refused = (why: string, cause?: unknown): CocoonError => {
    const { code, info, message } = teeError('attestation.evidence-source', { source: program, why })
    return new CocoonError(code, { ...info, message }, { cause })
  }
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env })
    const parts: Buffer[] = []
    let bytes = 0
    let words = ''
    const end = (settle: () => void): void => {
      signal.removeEventListener('abort', onAbort)
      child.kill('SIGKILL')
      settle()
    }
    const onAbort = (): void => end(() => reject(signal.reason as Error))
    signal.addEventListener('abort', onAbort, { once: true })
    child.once('error', (error) => end(() => reject(refused(`it cannot be started: ${error.message}`, error))))
    child.stdout.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > maxBytes) end(() => reject(refused(`it printed more than ${maxBytes} bytes`)))
      else parts.push(part)
    })
    child.stderr.on('data', (part: Buffer) => {
      words = `${words}${part.toString('latin1')}`.slice(-MAX_STDERR_BYTES)
    })
    // A program that does not read its input ends the pipe; its exit status says the rest.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    child.once('close', (status) => {
      const last = words.replaceAll(/[^\x20-\x7e]+/g, ' ').trim()
      end(() =>
        status === 0
          ? resolve(Buffer.concat(parts).toString('utf8'))
          : reject(refused(`it ended with status ${status ?? 'by a signal'}${last === '' ? '' : `: ${last}`}`)),
      )
    })
  })
}
