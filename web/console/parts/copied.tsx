/** A text that people take with them: shown, and copied by a button. */
import { useRef, useState } from 'preact/hooks'

export interface CopiedProps {
  readonly text: string
  /** What it is: `the key`. */
  readonly what: string
}

export function Copied({ text, what }: CopiedProps) {
  const shown = useRef<HTMLElement>(null)
  return (
    <span class="copied">
      <code ref={shown}>{text}</code> <CopyButton text={text} what={what} shown={shown} />
    </span>
  )
}

export interface CopyButtonProps extends CopiedProps {
  /** Where it stands on the page; marked for copying by hand where the browser does not let pages copy. */
  readonly shown?: { readonly current: HTMLElement | null }
}

export function CopyButton({ text, what, shown }: CopyButtonProps) {
  const [outcome, setOutcome] = useState('')
  async function copy(): Promise<void> {
    try {
      // Not there on a page that came over plain HTTP from another machine.
      await navigator.clipboard.writeText(text)
      setOutcome('Copied.')
    } catch {
      if (shown?.current) getSelection()?.selectAllChildren(shown.current)
      setOutcome('Marked: copy it with the keyboard.')
    }
  }
  return (
    <>
      <button type="button" class="small" aria-label={`Copy ${what}`} onClick={() => void copy()}>
        Copy
      </button>{' '}
      <span role="status" class="hint">
        {outcome}
      </span>
    </>
  )
}
