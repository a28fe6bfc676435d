/** Projects: what keys belong to and budgets can be set for, and who looks after them. */
import { useState } from 'preact/hooks'
import { useFetched } from '../node/fetched.ts'
import { isNodeOwner, useSelf } from '../node/self.ts'
import { useNode } from '../node/session.ts'
import type { ApiKey, List, Project } from '../node/shapes.ts'
import { Action } from '../parts/action.tsx'
import { Complaint } from '../parts/complaint.tsx'
import { Field, TextInput } from '../parts/field.tsx'
import { formatDay } from '../parts/format.ts'
import { type Column, Table } from '../parts/table.tsx'
import { Members } from './members.tsx'

interface Counted extends Project {
  /** Those that can still be used. */
  readonly keys: number
}

const COLUMNS: readonly Column<Counted>[] = [
  { head: 'Id', cell: ({ id }) => <code>{id}</code> },
  { head: 'Name', cell: ({ name }) => name },
  { head: 'Keys', cell: ({ keys }) => keys, kind: 'number' },
  { head: 'Made', cell: ({ created_at: at }) => formatDay(at) },
]

export function Projects() {
  const node = useNode()
  const self = useSelf()
  const [trouble, setTrouble] = useState<unknown>(null)
  const { value, error, reload } = useFetched('projects', async (signal) => {
    const [projects, keys] = await Promise.all([
      node.admin<List<Project>>('/projects', { signal }),
      node.admin<List<ApiKey>>('/keys', { signal }),
    ])
    const usable = keys.data.filter((key) => key.revoked_at === null)
    return projects.data.map((one) => ({ ...one, keys: usable.filter((key) => key.project === one.id).length }))
  })
  return (
    <>
      <Complaint error={trouble ?? error} />
      {isNodeOwner(self) && (
        <ProjectForm
          complain={setTrouble}
          create={async (id, name) => {
            setTrouble(null)
            await node.admin('/projects', { body: name === '' ? { id } : { id, name } })
            reload()
          }}
        />
      )}
      {value !== null && (
        <Table
          caption="Projects"
          columns={COLUMNS}
          rows={value}
          keyOf={({ id }) => id}
          none="No projects yet: keys made without one belong to “default”."
        />
      )}
      {value !== null && <Members projects={value} />}
    </>
  )
}

interface ProjectFormProps {
  readonly create: (id: string, name: string) => Promise<void>
  readonly complain: (error: unknown) => void
}

function ProjectForm({ create, complain }: ProjectFormProps) {
  const [isOpen, setOpen] = useState(false)
  const [id, setId] = useState('')
  const [name, setName] = useState('')
  async function make(): Promise<void> {
    await create(id.trim(), name.trim())
    setId('')
    setName('')
    setOpen(false)
  }
  return (
    <details class="form" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Make a project</summary>
      <div class="row">
        <Field label="Id" hint="a to z, digits and dashes. One that there is gets the new name.">
          <TextInput value={id} maxLength={63} onInput={setId} />
        </Field>
        <Field label="Name">
          <TextInput value={name} maxLength={200} onInput={setName} />
        </Field>
      </div>
      <Action work={make} complain={complain} disabled={id.trim() === ''} isMain>
        Make the project
      </Action>
    </details>
  )
}
