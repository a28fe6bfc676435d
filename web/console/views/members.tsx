/** Who looks after a project: members, their roles, and the credential that each is given once. */
import { useState } from 'preact/hooks'
import { useFetched } from '../node/fetched.ts'
import { mayManageMembers, useSelf } from '../node/self.ts'
import { useNode } from '../node/session.ts'
import type { List, Member, Project } from '../node/shapes.ts'
import { Action } from '../parts/action.tsx'
import { Complaint } from '../parts/complaint.tsx'
import { Choice, Field, TextInput } from '../parts/field.tsx'
import { formatDay } from '../parts/format.ts'
import { ShownOnce } from '../parts/shown-once.tsx'
import { type Column, Table } from '../parts/table.tsx'

export function Members({ projects }: { readonly projects: readonly Project[] }) {
  const node = useNode()
  const mayManage = mayManageMembers(useSelf())
  const [trouble, setTrouble] = useState<unknown>(null)
  const [made, setMade] = useState<(Member & { readonly key: string }) | null>(null)
  const { value, error, reload } = useFetched('members', (signal) => node.admin<List<Member>>('/members', { signal }))
  async function add(wanted: NewMember): Promise<void> {
    setTrouble(null)
    setMade(await node.admin<Member & { key: string }>('/members', { body: wanted }))
    reload()
  }
  async function remove(id: string): Promise<void> {
    setTrouble(null)
    await node.admin(`/members/${id}/remove`, { body: {} })
    reload()
  }
  async function change(id: string, role: string): Promise<void> {
    setTrouble(null)
    await node.admin(`/members/${id}/role`, { body: { role } })
    reload()
  }
  const columns: readonly Column<Member>[] = [
    { head: 'Name', cell: ({ name }) => name },
    {
      head: 'Role',
      cell: (member) =>
        mayManage && member.removed_at === null ? (
          <RoleOf key={member.role} member={member} change={(role) => change(member.id, role)} complain={setTrouble} />
        ) : (
          member.role
        ),
    },
    ...COLUMNS,
    {
      head: 'State',
      cell: ({ id, name, removed_at: removedAt }) => {
        if (removedAt !== null) return <span class="odd">removed</span>
        if (!mayManage) return 'active'
        return (
          <Action
            work={() => remove(id)}
            complain={setTrouble}
            label={`Remove ${name}`}
            confirm="Remove, and revoke the keys they made"
          >
            Remove
          </Action>
        )
      },
    },
  ]
  return (
    <section aria-label="Members">
      <h2>Members</h2>
      <Complaint error={trouble ?? error} />
      {made !== null && <ShownOnce what="credential" name={made.name} secret={made.key} onKept={() => setMade(null)} />}
      {mayManage && <MemberForm projects={projects} add={add} complain={setTrouble} />}
      {value !== null && (
        <Table
          caption="Members of projects"
          isCaptionHidden
          columns={columns}
          rows={value.data}
          keyOf={({ id }) => id}
          none="No members: the owner of the node looks after everything."
        />
      )}
    </section>
  )
}

const COLUMNS: readonly Column<Member>[] = [
  { head: 'Project', cell: ({ project }) => project },
  { head: 'Id', cell: ({ id }) => <code>{id}</code>, kind: 'detail' },
  { head: 'Added', cell: ({ created_at: at }) => formatDay(at), kind: 'detail' },
]

/** As `POST /admin/members` takes it. */
interface NewMember {
  readonly name: string
  readonly role: string
  readonly project: string
}

interface MemberFormProps {
  readonly projects: readonly Project[]
  readonly add: (wanted: NewMember) => Promise<void>
  readonly complain: (error: unknown) => void
}

const ROLES: readonly (readonly [value: string, text: string])[] = [
  ['viewer', 'viewer: sees'],
  ['member', 'member: makes keys'],
  ['owner', 'owner: all in the project'],
]

interface RoleOfProps {
  readonly member: Member
  readonly change: (role: string) => Promise<void>
  readonly complain: (error: unknown) => void
}

/** Chosen first and then changed by a button: going through a list by the keyboard must not change what somebody may do. */
function RoleOf({ member: { name, role }, change, complain }: RoleOfProps) {
  const [wanted, setWanted] = useState(role)
  return (
    <span class="row">
      <Choice value={wanted} onChange={setWanted} options={ROLES.map(([one]) => one)} aria-label={`Role of ${name}`} />
      {wanted !== role && (
        <Action work={() => change(wanted)} complain={complain} label={`Make ${name} ${wanted}`}>
          Change
        </Action>
      )}
    </span>
  )
}

function MemberForm({ projects, add, complain }: MemberFormProps) {
  const own = useSelf().project
  const [isOpen, setOpen] = useState(false)
  const [name, setName] = useState('')
  const [role, setRole] = useState('member')
  const [project, setProject] = useState(own ?? 'default')
  const names = own === null ? [...new Set(['default', ...projects.map(({ id }) => id)])] : [own]
  async function save(): Promise<void> {
    await add({ name: name.trim(), role, project })
    setName('')
    setOpen(false)
  }
  return (
    <details class="form" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Add a member</summary>
      <div class="row">
        <Field label="Who">
          <TextInput value={name} maxLength={200} onInput={setName} />
        </Field>
        <Field label="Role">
          <Choice value={role} onChange={setRole} options={ROLES} />
        </Field>
        <Field label="In the project">
          <Choice value={project} onChange={setProject} options={names} />
        </Field>
      </div>
      <Action work={save} complain={complain} disabled={name.trim() === ''} isMain>
        Add the member
      </Action>
    </details>
  )
}
