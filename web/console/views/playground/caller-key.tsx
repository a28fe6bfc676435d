/** The API key with which this page asks models: without one it asks as the owner. Kept in this tab. */
import { useState } from 'preact/hooks'
import { isNodeOwner, useSelf } from '../../node/self.ts'
import { Field } from '../../parts/field.tsx'

const KEPT = 'cocoon-caller-key'

/** Empty: as whoever opened the page. */
export const keptCallerKey = (): string => sessionStorage.getItem(KEPT) ?? ''

export interface CallerKeyProps {
  readonly onChange: (key: string) => void
}

export function CallerKey({ onChange }: CallerKeyProps) {
  const [key, setKey] = useState(keptCallerKey)
  function take(): void {
    sessionStorage.setItem(KEPT, key.trim())
    onChange(key.trim())
  }
  return (
    <Field
      label="API key"
      hint={isNodeOwner(useSelf()) ? 'Empty: as the owner of this node.' : 'One of your project: see Keys.'}
    >
      <input
        type="password"
        autocomplete="off"
        placeholder="ck_…"
        value={key}
        onInput={(event) => setKey(event.currentTarget.value)}
        onChange={take}
      />
    </Field>
  )
}
