/** An assessment for people: every check with a mark and a word, what is proven, what is not, one line of verdict. */
import type { Assessment, Check } from '../../tee/index.ts'
import { printable, type Terminal } from '../terminal.ts'

export interface Heading {
  readonly target: string
  readonly at: string
  readonly policy: { readonly name: string; readonly sha256: string }
  readonly network: string
}

const MARKS = {
  passed: { mark: '✓ pass', style: 'green' },
  failed: { mark: '✗ FAIL', style: 'red' },
  info: { mark: '· note', style: 'dim' },
} as const
const VERDICTS = { verified: 'green', simulated: 'yellow', refused: 'red' } as const

/** What the person at the terminal can do about it. */
const MENDS: Readonly<Record<string, string>> = {
  'attestation.collateral-missing':
    'fetch it with `cocoon collateral fetch --for FILE`, or give a bundle that has it: --bundle FILE',
  'attestation.image-hash-list-empty': 'name the network (--network FILE), or a hash that you trust (--image HASH)',
  'attestation.simulated-network': 'name the test network: --network FILE',
  'attestation.simulated-not-accepted': 'on a test network, judge with --policy devnet',
}

export function showAssessment(t: Terminal, heading: Heading, result: Assessment): void {
  const line = (text = ''): void => t.line(printable(text))
  const title = (text: string): void => t.line(`\n${t.style('bold', printable(text))}`)
  t.line(t.style('bold', printable(`${heading.target}: ${result.summary}`)))
  line(`at ${heading.at}, policy ${heading.policy.name} (sha256 ${heading.policy.sha256}), ${heading.network}`)
  for (const group of result.groups) {
    title(group.title)
    const width = Math.max(...group.checks.map((check) => check.id.length))
    const isPolicy = group.title.startsWith('Policy ')
    for (const check of group.checks) showCheck(t, check, width, isPolicy || check.outcome !== 'passed')
  }
  const facts = Object.entries(result.facts).filter(([, value]) => value !== '' && value !== null)
  if (facts.length > 0) {
    title(result.proven.length > 0 ? 'What it is' : 'What it says of itself')
    const width = Math.max(...facts.map(([name]) => name.length))
    for (const [name, value] of facts) line(`  ${name.padEnd(width)}  ${value}`)
  }
  if (result.proven.length > 0) {
    title('Proven')
    for (const sentence of result.proven) line(`  + ${sentence}`)
  }
  title('Not proven')
  for (const sentence of result.notProven) line(`  - ${sentence}`)
  line()
  t.line(t.style(VERDICTS[result.outcome], printable(verdictOf(result))))
  const mend = result.code === null ? undefined : MENDS[result.code]
  if (mend !== undefined) line(`→ ${mend}`)
}

function showCheck(
  t: Terminal,
  { id, outcome, detail, inputs, code }: Check,
  width: number,
  withInputs: boolean,
): void {
  const { mark, style } = MARKS[outcome]
  const reason = code === undefined ? '' : ` [${code}]`
  t.line(`  ${t.style(style, mark)}  ${printable(`${id.padEnd(width)}  ${detail}${reason}`)}`)
  const shown = Object.entries(inputs).filter(([, value]) => value !== '' && value !== null)
  if (!withInputs || shown.length === 0) return
  const text = shown.map(([name, value]) => `${name}=${value}`).join('  ')
  t.line(t.style('dim', printable(`${' '.repeat(width + 12)}${text}`)))
}

/** The line that a hurried reader looks at. */
function verdictOf({ outcome, code, evidence, groups }: Assessment): string {
  if (outcome === 'verified') return 'VERIFIED: the evidence is genuine, and the policy accepts it.'
  if (outcome === 'simulated') return 'SIMULATED: it has the form that this test network agreed on. It proves nothing.'
  const [first, ...others] = groups.flatMap((group) => group.checks).filter((check) => check.outcome === 'failed')
  const more = others.length === 0 ? '' : ` And ${others.length} more, marked FAIL above.`
  return `REFUSED${evidence === 'simulated' ? ' (simulated evidence)' : ''}: ${first?.detail ?? ''} [${code}]${more}`
}
