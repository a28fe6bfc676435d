/** The parameters of the next question. */
import { Field, TextInput } from '../../parts/field.tsx'
import type { Parameters } from './chat-request.ts'

export interface ParameterFieldsProps {
  readonly value: Parameters
  readonly onChange: (value: Parameters) => void
}

export function ParameterFields({ value, onChange }: ParameterFieldsProps) {
  const set = (changes: Partial<Parameters>): void => onChange({ ...value, ...changes })
  return (
    <>
      <Field label="Longest answer, in tokens">
        <TextInput type="number" min={1} value={value.maxTokens} onInput={(maxTokens) => set({ maxTokens })} />
      </Field>
      <Field label="Most it may cost" hint="In TON. Empty: as far as budgets allow.">
        <TextInput
          inputMode="decimal"
          placeholder="0.01"
          value={value.maxCost}
          onInput={(maxCost) => set({ maxCost })}
        />
      </Field>
      <details>
        <summary>More parameters</summary>
        <Field label="Instructions" hint="Sent before the conversation, as the system’s message.">
          <textarea rows={3} value={value.system} onInput={(event) => set({ system: event.currentTarget.value })} />
        </Field>
        <Field label="Temperature">
          <TextInput
            type="number"
            min={0}
            max={2}
            step="0.1"
            value={value.temperature}
            onInput={(temperature) => set({ temperature })}
          />
        </Field>
        <Field label="Top p">
          <TextInput type="number" min={0} max={1} step="0.05" value={value.topP} onInput={(topP) => set({ topP })} />
        </Field>
        <Field label="Seed">
          <TextInput type="number" value={value.seed} onInput={(seed) => set({ seed })} />
        </Field>
        <Field label="Highest price" hint="Times the network’s price. Empty: the node’s setting.">
          <TextInput
            type="number"
            min={0}
            step="0.1"
            value={value.maxPrice}
            onInput={(maxPrice) => set({ maxPrice })}
          />
        </Field>
        <label class="check">
          <input
            type="checkbox"
            checked={value.asJson}
            onChange={(event) => set({ asJson: event.currentTarget.checked })}
          />
          <span>Answer as a JSON object</span>
        </label>
      </details>
    </>
  )
}
