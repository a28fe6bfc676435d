/** `cocoon member`: who looks after a project. */
import type { Config } from '../schema.ts'
import type { Terminal } from '../terminal.ts'
import { adminClient } from './admin-client.ts'
import { type Column, minute, rowsOf, showRows } from './show.ts'

export interface MemberFlags {
  readonly project?: string
  readonly role: string
  readonly json?: boolean
}

export async function addMember(config: Config, name: string, o: MemberFlags, t: Terminal): Promise<number> {
  const { project, role, json } = o
  const made = await adminClient(config).ask('POST', '/admin/members', { name, project, role })
  if (json === true) t.line(JSON.stringify(made, null, 2))
  else {
    t.line(String(made['key']))
    t.line(
      t.style(
        'dim',
        `Credential of ${name}, ${role} of project ${String(made['project'])}, to be set as COCOON_CLIENT_GATEWAY_MEMBER_KEY. It is shown this once.`,
      ),
    )
  }
  return 0
}

const MEMBER_COLUMNS: readonly Column[] = [
  ['id', (m) => m['id']],
  ['project', (m) => m['project']],
  ['name', (m) => m['name']],
  ['role', (m) => m['role']],
  ['state', (m) => (m['removed_at'] === null ? 'active' : 'removed')],
  ['added', (m) => minute(m['created_at'])],
]

export async function listMembers(config: Config, asJson: boolean, t: Terminal): Promise<number> {
  const answer = await adminClient(config).ask('GET', '/admin/members')
  if (asJson) t.line(JSON.stringify(answer, null, 2))
  else showRows(t, rowsOf(answer), MEMBER_COLUMNS, 'No members: the owner of the node looks after everything.')
  return 0
}

export async function changeRole(config: Config, id: string, role: string, t: Terminal): Promise<number> {
  const { name, project } = await adminClient(config).ask('POST', `/admin/members/${encodeURIComponent(id)}/role`, {
    role,
  })
  t.line(`${String(name)} (${id}) is ${role} of project ${String(project)} now.`)
  return 0
}

export async function removeMember(config: Config, id: string, keepKeys: boolean, t: Terminal): Promise<number> {
  await adminClient(config).ask('POST', `/admin/members/${encodeURIComponent(id)}/remove`, { keep_keys: keepKeys })
  t.line(`${id} is no member any more${keepKeys ? '; its API keys stay' : ', and its API keys are revoked'}.`)
  return 0
}
