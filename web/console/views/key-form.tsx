/** What a new API key may do. */
import { useState } from 'preact/hooks'
import { useSelf } from '../node/self.ts'
import type { Project } from '../node/shapes.ts'
import { Action } from '../parts/action.tsx'
import { Choice, Field, TextInput } from '../parts/field.tsx'

/** As `POST /admin/keys` takes it. */
export interface NewKey {
  readonly name: string
  readonly project: string
  readonly scopes: readonly string[]
  readonly models: readonly string[]
  readonly limits: Readonly<Record<string, number>>
  readonly expires_at: string | null
}

export interface KeyFormProps {
  readonly projects: readonly Project[]
  readonly create: (wanted: NewKey) => Promise<void>
  readonly complain: (error: unknown) => void
}

/** What people choose among: asking includes looking at what there is to ask. */
const USES: readonly (readonly [value: string, text: string])[] = [
  ['inference models', 'ask models and list them'],
  ['inference', 'ask models'],
  ['models', 'list models and prices'],
]
const EMPTY = { name: '', use: 'inference models', models: '', requests: '', tokens: '', concurrent: '', expires: '' }

export function KeyForm({ projects, create, complain }: KeyFormProps) {
  const [isOpen, setOpen] = useState(false)
  const own = useSelf().project
  const [project, setProject] = useState(own ?? 'default')
  const [form, setForm] = useState(EMPTY)
  const set = (changes: Partial<typeof EMPTY>): void => setForm({ ...form, ...changes })
  async function make(): Promise<void> {
    await create(wantedOf(form, project))
    setForm(EMPTY)
    setOpen(false)
  }
  const names = own === null ? [...new Set(['default', ...projects.map(({ id }) => id)])] : [own]
  return (
    <details class="form" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Make a key</summary>
      <div class="row">
        <Field label="Name" hint="What it is for.">
          <TextInput value={form.name} maxLength={200} onInput={(name) => set({ name })} />
        </Field>
        <Field label="Project">
          <Choice value={project} onChange={setProject} options={names} />
        </Field>
        <Field label="It may">
          <Choice value={form.use} onChange={(use) => set({ use })} options={USES} />
        </Field>
        <Field label="Models" hint="Names with commas between. Empty: all.">
          <TextInput value={form.models} onInput={(models) => set({ models })} />
        </Field>
        <Field label="Requests a minute" hint="Empty: no limit.">
          <TextInput type="number" min={1} value={form.requests} onInput={(requests) => set({ requests })} />
        </Field>
        <Field label="Tokens a minute">
          <TextInput type="number" min={1} value={form.tokens} onInput={(tokens) => set({ tokens })} />
        </Field>
        <Field label="Requests at once">
          <TextInput type="number" min={1} value={form.concurrent} onInput={(concurrent) => set({ concurrent })} />
        </Field>
        <Field label="Last day" hint="In UTC. Empty: until it is revoked.">
          <TextInput type="date" value={form.expires} onInput={(expires) => set({ expires })} />
        </Field>
      </div>
      <Action work={make} complain={complain} isMain>
        Make the key
      </Action>
    </details>
  )
}

function wantedOf(form: typeof EMPTY, project: string): NewKey {
  const limits = {
    requests_per_minute: form.requests,
    tokens_per_minute: form.tokens,
    max_concurrent: form.concurrent,
  }
  const given = Object.entries(limits).filter(([, text]) => text !== '')
  const models = form.models.split(',').map((name) => name.trim())
  return {
    name: form.name.trim(),
    project,
    scopes: form.use.split(' '),
    models: models.filter((name) => name !== ''),
    limits: Object.fromEntries(given.map(([name, text]) => [name, Number(text)])),
    expires_at: form.expires === '' ? null : `${form.expires}T23:59:59Z`,
  }
}
