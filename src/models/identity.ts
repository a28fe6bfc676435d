/**
 * What a model is called on the network: `model@commit:hash`, where the hash is that of its archive. Registries list the
 * SHA-256 of the whole name. Only the hash says anything: model and commit are text that nobody compares with it.
 * Source: spec/model-identity.md.
 */
import { createHash } from 'node:crypto'
import { modelError } from './errors.ts'

export interface ModelIdentity {
  /** A repository, `owner/name`. */
  readonly model: string
  /** A revision of it. */
  readonly commit: string
  /** Root hash of the archive, 64 hex digits in lower case. */
  readonly hash: string
}

/** Guests put the name into command lines and configuration; anything else could mean something there. */
const FORM = /^(?<model>[\w.:/=+-]+)@(?<commit>[\w.=+-]+):(?<hash>[0-9a-f]{64})$/
const MAX_CHARACTERS = 512

/** Throws `model.identity`. */
export function parseModelIdentity(text: string): ModelIdentity {
  const { model, commit, hash } = FORM.exec(text)?.groups ?? {}
  if (text.length > MAX_CHARACTERS || model === undefined || commit === undefined || hash === undefined)
    throw modelError(
      'model.identity',
      `"${text.slice(0, 100)}" is no name of a model.`,
      'Write model@commit:hash with the 64 lower-case hex digits of the archive; `cocoon model measure` prints it.',
    )
  return { model, commit, hash }
}

/** Throws `model.identity` when the parts make no name. */
export function formatModelIdentity({ model, commit, hash }: ModelIdentity): string {
  const text = `${model}@${commit}:${hash}`
  parseModelIdentity(text)
  return text
}

/** What registries list: SHA-256 of the whole name, hex. */
export const modelRegistryHash = (identity: ModelIdentity): string =>
  createHash('sha256').update(formatModelIdentity(identity)).digest('hex')
