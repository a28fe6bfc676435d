/** Asks for the owner's key, where the address did not bring it. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { Refusal } from './node/refusal.ts'
import { Complaint } from './parts/complaint.tsx'
import { Field } from './parts/field.tsx'

export interface KeyGateProps {
  /** The node did not take the key that the tab had. */
  readonly wasRefused: boolean
  readonly open: (key: string) => void
}

export function KeyGate({ wasRefused, open }: KeyGateProps) {
  const [key, setKey] = useState('')
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => input.current?.focus(), [])
  return (
    <form
      class="gate"
      onSubmit={(event) => {
        event.preventDefault()
        if (key.trim() !== '') open(key.trim())
      }}
    >
      {wasRefused && <Complaint error={new Refusal('The node does not take this key.', { code: 'invalid_api_key' })} />}
      <p>
        Run <code>cocoon console</code> and open the address it prints, or paste the key from{' '}
        <code>keys/admin.key</code> in the node’s home. It stays in this tab.
      </p>
      <Field label="Admin key">
        <input
          ref={input}
          type="password"
          autocomplete="off"
          required
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </Field>
      <button type="submit" class="main">
        Open
      </button>
    </form>
  )
}
