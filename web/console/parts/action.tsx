/** A button whose work takes time and may fail: it cannot be pressed twice, and what went wrong is said. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

export interface ActionProps {
  readonly work: () => Promise<unknown>
  readonly complain: (error: unknown) => void
  /** What it does, where the text alone does not say it: `Revoke 1a2b`. */
  readonly label?: string
  /** For what cannot be undone: the button asks this first, and a second press does it. */
  readonly confirm?: string
  readonly isMain?: boolean
  readonly disabled?: boolean
  readonly children: ComponentChildren
}

export function Action({ work, complain, label, confirm, isMain = false, disabled = false, children }: ActionProps) {
  const [isBusy, setBusy] = useState(false)
  const [isAsking, setAsking] = useState(false)
  const isShown = useRef(true)
  useEffect(() => () => void (isShown.current = false), [])
  async function press(): Promise<void> {
    if (confirm !== undefined && !isAsking) return setAsking(true)
    setAsking(false)
    setBusy(true)
    try {
      await work()
    } catch (error) {
      if (isShown.current) complain(error)
    } finally {
      if (isShown.current) setBusy(false)
    }
  }
  const name = isAsking ? undefined : label
  return (
    <button
      type="button"
      class={isAsking ? 'sure' : isMain ? 'main' : ''}
      disabled={disabled || isBusy}
      aria-busy={isBusy}
      {...(name === undefined ? {} : { 'aria-label': name })}
      onClick={() => void press()}
      onBlur={() => setAsking(false)}
      onKeyDown={(event) => event.key === 'Escape' && setAsking(false)}
    >
      {isAsking ? confirm : children}
    </button>
  )
}
