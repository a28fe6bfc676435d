/** A secret that was just made: it stands here until the person says that it is kept, and nowhere afterwards. */
import { Copied } from './copied.tsx'

export interface ShownOnceProps {
  /** `key`, `credential`. */
  readonly what: string
  /** What people call it. */
  readonly name: string
  readonly secret: string
  readonly onKept: () => void
}

export function ShownOnce({ what, name, secret, onKept }: ShownOnceProps) {
  return (
    <section class="made" aria-label={`The new ${what}`}>
      <p>
        The {what}
        {name === '' ? '' : ` “${name}”`}, shown this once. Keep it where it is used; nobody can read it later.
      </p>
      <p>
        <Copied text={secret} what={`the ${what}`} />
      </p>
      <button type="button" onClick={onKept}>
        I have it
      </button>
    </section>
  )
}
