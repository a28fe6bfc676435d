/** Which requests are listed. */
import type { ApiKey, Project } from '../../node/shapes.ts'
import { Choice, Field, TextInput } from '../../parts/field.tsx'

/** Empty: all. Names are those of `GET /admin/receipts`. */
export interface Wanted {
  readonly request: string
  readonly key: string
  readonly project: string
  readonly model: string
  readonly result: string
  readonly code: string
}

export const EVERYTHING: Wanted = { request: '', key: '', project: '', model: '', result: '', code: '' }

const RESULTS: readonly (readonly [value: string, text: string])[] = [
  ['', 'all'],
  ['ok', 'answered'],
  ['failed', 'failed'],
  ['cancelled', 'cancelled'],
  ['refused', 'refused'],
]

export interface RequestFilterProps {
  readonly value: Wanted
  readonly onChange: (value: Wanted) => void
  readonly keys: readonly ApiKey[]
  readonly projects: readonly Project[]
}

export function RequestFilter({ value, onChange, keys, projects }: RequestFilterProps) {
  const set = (changes: Partial<Wanted>): void => onChange({ ...value, ...changes })
  return (
    <div class="row" role="search" aria-label="Which requests">
      <Field label="Result">
        <Choice value={value.result} onChange={(result) => set({ result })} options={RESULTS} />
      </Field>
      <Field label="Key">
        <Choice
          value={value.key}
          onChange={(key) => set({ key })}
          options={[
            ['', 'all'],
            ['owner', 'the owner'],
            ...keys.map(({ id, name }) => [id, name === '' ? id : `${name} (${id})`] as const),
          ]}
        />
      </Field>
      <Field label="Project">
        <Choice
          value={value.project}
          onChange={(project) => set({ project })}
          options={[['', 'all'], ...new Set(['default', ...projects.map(({ id }) => id)])]}
        />
      </Field>
      <Field label="Model">
        <TextInput value={value.model} placeholder="whole name" onInput={(model) => set({ model: model.trim() })} />
      </Field>
      <Field label="Reason">
        <TextInput value={value.code} placeholder="capacity.timeout" onInput={(code) => set({ code: code.trim() })} />
      </Field>
      <Field label="Request">
        <TextInput value={value.request} placeholder="x-request-id" onInput={(id) => set({ request: id.trim() })} />
      </Field>
    </div>
  )
}
