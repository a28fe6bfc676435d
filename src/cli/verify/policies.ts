/** `cocoon policy`: built-in policies and those in files, explained and hashed. */
import {
  BUILT_IN_POLICIES,
  explainPolicy,
  isBuiltInPolicy,
  MAX_POLICY_CHARACTERS,
  nodeVerifyCrypto,
  parsePolicy,
  type Policy,
  policyHash,
} from '../../tee/index.ts'
import { table, type Terminal } from '../terminal.ts'
import { readTextInput } from './input.ts'

/** A built-in name wins over a file. Throws `config.policy`. */
export function loadPolicy(nameOrFile: string): Policy {
  if (isBuiltInPolicy(nameOrFile)) return BUILT_IN_POLICIES[nameOrFile]
  return parsePolicy(readTextInput(nameOrFile, MAX_POLICY_CHARACTERS, 'config.policy'), nameOrFile)
}

export const hashOf = (policy: Policy): Promise<string> => policyHash(nodeVerifyCrypto, policy)

export async function listPolicies(t: Terminal): Promise<void> {
  const rows = await Promise.all(
    Object.values(BUILT_IN_POLICIES).map(async (policy) => [policy.name, await hashOf(policy), policy.about]),
  )
  t.line(table(t, [['name', 'sha256', 'about'], ...rows]))
}

export async function explain(t: Terminal, nameOrFile: string): Promise<void> {
  const policy = loadPolicy(nameOrFile)
  t.line(`${t.style('bold', policy.name)}  sha256 ${await hashOf(policy)}`)
  for (const sentence of explainPolicy(policy)) t.line(`- ${sentence}`)
}

export async function hash(t: Terminal, nameOrFile: string): Promise<void> {
  t.line(await hashOf(loadPolicy(nameOrFile)))
}
