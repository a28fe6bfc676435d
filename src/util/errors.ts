/**
 * One error class for the whole product. The code's first word says who must act (see docs/architecture.md, "Errors");
 * `info` carries the facts a person needs to mend it. Never put a prompt, an answer or a key into `info`.
 */
export type ErrorFamily =
  | 'config'
  | 'request'
  | 'payment'
  | 'capacity'
  | 'protocol'
  | 'tl'
  | 'attestation'
  | 'chain'
  | 'engine'
  | 'model'
  | 'bug'

export type ErrorCode = `${ErrorFamily}.${string}`

export type ErrorInfo = Readonly<Record<string, string | number | bigint | boolean | null | undefined>>

export class CocoonError extends Error {
  readonly code: ErrorCode
  readonly info: ErrorInfo

  /** `info.message`, when given, is the sentence people read; otherwise the code and the facts are. */
  constructor(code: ErrorCode, info: ErrorInfo = {}, options?: { readonly cause?: unknown }) {
    super(typeof info.message === 'string' ? info.message : describe(code, info), options)
    this.name = 'CocoonError'
    this.code = code
    this.info = info
  }

  get family(): ErrorFamily {
    return this.code.slice(0, this.code.indexOf('.')) as ErrorFamily
  }
}

/** The error itself when it is ours; anything else becomes `bug.unexpected` with its cause kept. */
export function toCocoonError(error: unknown, code: ErrorCode = 'bug.unexpected'): CocoonError {
  if (error instanceof CocoonError) return error
  return new CocoonError(code, { message: error instanceof Error ? error.message : String(error) }, { cause: error })
}

/** For the last branch of a switch over a union: the compiler refuses a forgotten case. */
export function unreachable(value: never): never {
  throw new CocoonError('bug.unreachable', { value: String(value) })
}

function describe(code: ErrorCode, info: ErrorInfo): string {
  const facts = Object.entries(info)
    .filter(([, v]) => v !== undefined)
    .map(([k, v]) => `${k}=${v}`)
  return facts.length === 0 ? code : `${code}: ${facts.join(', ')}`
}
