/** A labelled control. */
import { cloneElement, type VNode } from 'preact'
import { useId } from 'preact/hooks'

export interface FieldProps {
  readonly label: string
  readonly hint?: string | undefined
  readonly isWide?: boolean
  /** The one control. */
  readonly children: VNode
}

/** The hint describes the control, and is no part of its name; nor is what a list offers. */
export function Field({ label, hint, isWide = false, children }: FieldProps) {
  const id = useId()
  const hintId = `${id}-hint`
  return (
    <div class={isWide ? 'field wide' : 'field'}>
      <label for={id}>{label}</label>
      {cloneElement(children, hint === undefined ? { id } : { id, 'aria-describedby': hintId })}
      {hint !== undefined && (
        <small id={hintId} class="hint">
          {hint}
        </small>
      )}
    </div>
  )
}

/** What a field gives to its control. */
interface Labelled {
  readonly id?: string
  /** For one that stands without a field. */
  readonly 'aria-label'?: string
  readonly 'aria-describedby'?: string
}

export interface ChoiceProps extends Labelled {
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

export interface TextProps extends Labelled {
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
