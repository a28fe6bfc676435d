/** Whose files and batches a caller sees: those of its key's project; the owner of the node sees all. */
import type { Viewer } from '../batch/index.ts'
import type { Gateway } from '../gateway/index.ts'
import { OWNER } from '../roles/client/index.ts'

/** @param caller id of an API key, or `OWNER`. Throws `request.key-…` */
export type ViewerOf = (caller: string) => {
  readonly viewer: Viewer
  /** To whom belongs what the caller makes. */
  readonly owner: string
}

export const createViewerOf =
  (gateway: Pick<Gateway, 'keyById'> | undefined): ViewerOf =>
  (caller) => {
    if (caller === OWNER || gateway === undefined) return { viewer: null, owner: '' }
    const { project } = gateway.keyById(caller)
    return { viewer: project, owner: project }
  }
