/** API keys: what there is, how more are made, how they end. */
import { useState } from 'preact/hooks'
import { useFetched } from '../node/fetched.ts'
import { isNodeOwner, mayMakeKeys, mayRevoke, useSelf } from '../node/self.ts'
import { useNode } from '../node/session.ts'
import type { ApiKey, List, Member, Project } from '../node/shapes.ts'
import { Action } from '../parts/action.tsx'
import { Complaint } from '../parts/complaint.tsx'
import { formatDay } from '../parts/format.ts'
import { ShownOnce } from '../parts/shown-once.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { KeyForm, type NewKey } from './key-form.tsx'

export function Keys() {
  const node = useNode()
  const self = useSelf()
  const [trouble, setTrouble] = useState<unknown>(null)
  const [made, setMade] = useState<{ readonly key: string; readonly id: string; readonly name: string } | null>(null)
  const { value, error, reload } = useFetched('keys', async (signal) => {
    const [keys, projects, members] = await Promise.all([
      node.admin<List<ApiKey>>('/keys', { signal }),
      node.admin<List<Project>>('/projects', { signal }),
      node.admin<List<Member>>('/members', { signal }),
    ])
    return { keys: keys.data, projects: projects.data, members: members.data }
  })
  async function create(wanted: NewKey): Promise<void> {
    setTrouble(null)
    setMade(await node.admin<ApiKey & { key: string }>('/keys', { body: wanted }))
    reload()
  }
  async function revoke(id: string): Promise<void> {
    setTrouble(null)
    await node.admin(`/keys/${id}/revoke`, { body: {} })
    reload()
  }
  const columns: readonly Column<ApiKey>[] = [
    ...COLUMNS,
    {
      head: 'Made by',
      cell: ({ made_by: by }) => (by === null ? 'the owner' : (value?.members.find(({ id }) => id === by)?.name ?? by)),
      kind: 'detail',
    },
    {
      head: 'State',
      cell: (key) => {
        if (key.revoked_at !== null) return <span class="odd">revoked</span>
        if (key.expires_at !== null && Date.parse(key.expires_at) <= Date.now()) return <span class="odd">expired</span>
        if (!mayRevoke(self, key)) return 'in use'
        return (
          <Action
            work={() => revoke(key.id)}
            complain={setTrouble}
            label={`Revoke ${key.name || key.id}`}
            confirm="Revoke it for good"
          >
            Revoke
          </Action>
        )
      },
    },
  ]
  return (
    <>
      <Complaint error={trouble ?? error} />
      {made !== null && <ShownOnce what="key" name={made.name} secret={made.key} onKept={() => setMade(null)} />}
      {value !== null && (
        <>
          {mayMakeKeys(self) && <KeyForm projects={value.projects} create={create} complain={setTrouble} />}
          <Table
            caption="API keys"
            columns={columns}
            rows={value.keys}
            keyOf={({ id }) => id}
            none={isNodeOwner(self) ? NO_KEYS : 'No keys in this project yet.'}
          />
        </>
      )}
    </>
  )
}

const NO_KEYS = 'No keys: everybody who reaches this node is its owner. From the first key on, every caller needs one.'

const COLUMNS: readonly Column<ApiKey>[] = [
  { head: 'Name', cell: ({ name }) => name || '–' },
  { head: 'Id', cell: ({ id }) => <code>{id}</code> },
  { head: 'Project', cell: ({ project }) => project },
  { head: 'May', cell: ({ scopes }) => scopes.map((scope) => SCOPES[scope] ?? scope).join(', '), kind: 'detail' },
  { head: 'Models', cell: ({ models }) => models.join(', ') || 'all', kind: 'detail' },
  { head: 'Limits', cell: ({ limits }) => limitsOf(limits) },
  { head: 'Made', cell: ({ created_at: at }) => formatDay(at), kind: 'detail' },
  { head: 'Expires', cell: ({ expires_at: at }) => (at === null ? 'never' : formatDay(at)) },
]

const SCOPES: Readonly<Record<string, string>> = { inference: 'ask', models: 'list' }

function limitsOf(limits: ApiKey['limits']): string {
  const given = Object.entries(limits).filter(([, value]) => value !== null)
  return given.map(([name, value]) => `${value} ${name.replaceAll('_', ' ')}`).join(', ') || 'none'
}
