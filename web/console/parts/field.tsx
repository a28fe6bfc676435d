/** A labelled control. */
import { cloneElement, type VNode } from 'preact'
import { useId } from 'preact/hooks'

export interface FieldProps {
  readonly label: string
  readonly hint?: string
  readonly isWide?: boolean
  /** The one control. */
  readonly children: VNode
}

/** The hint describes the control, and is no part of its name. */
export function Field({ label, hint, isWide = false, children }: FieldProps) {
  const id = useId()
  return (
    <div class={isWide ? 'field wide' : 'field'}>
      <label>
        <span>{label}</span>
        {hint === undefined ? children : cloneElement(children, { 'aria-describedby': id })}
      </label>
      {hint !== undefined && (
        <small id={id} class="hint">
          {hint}
        </small>
      )}
    </div>
  )
}

interface Described {
  readonly 'aria-describedby'?: string
}

export interface ChoiceProps extends Described {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly options: readonly (string | readonly [value: string, text: string])[]
}

export function Choice({ onChange, options, ...rest }: ChoiceProps) {
  return (
    <select {...rest} onChange={(event) => onChange(event.currentTarget.value)}>
      {options.map((option) => {
        const [name, text] = typeof option === 'string' ? [option, option] : option
        return (
          <option key={name} value={name}>
            {text}
          </option>
        )
      })}
    </select>
  )
}

export interface TextProps extends Described {
  readonly value: string
  readonly onInput: (value: string) => void
  readonly type?: 'text' | 'number' | 'date'
  readonly placeholder?: string
  readonly inputMode?: 'decimal'
  readonly min?: number
  readonly max?: number
  readonly step?: string
  readonly maxLength?: number
}

export function TextInput({ onInput, type = 'text', ...rest }: TextProps) {
  return (
    <input
      {...rest}
      // The types of attributes know no input whose type is chosen later.
      type={type as 'text'}
      autocomplete="off"
      spellcheck={false}
      onInput={(event) => onInput(event.currentTarget.value)}
    />
  )
}
