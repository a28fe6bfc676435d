/** What the node refused, in its own words, and what a person on this page can do about it. */

export class Refusal extends Error {
  /** As in docs/http-api.md; `unreachable` when no answer came at all. */
  readonly code: string
  /** The field at fault. */
  readonly field: string | null
  /** 0 without an answer. */
  readonly status: number
  /** After how many seconds it is worth another try, where the node says so. */
  readonly retryAfterS: number | null

  constructor(
    message: string,
    {
      code = '',
      field = null,
      status = 0,
      retryAfterS = null,
    }: Partial<Pick<Refusal, 'code' | 'field' | 'status' | 'retryAfterS'>> = {},
  ) {
    super(message)
    this.name = 'Refusal'
    this.code = code
    this.field = field
    this.status = status
    this.retryAfterS = retryAfterS
  }
}

export const UNREACHABLE = 'unreachable'

interface Mend {
  readonly text: string
  /** Where on this page it is done. */
  readonly href?: string
}

const MENDS: Readonly<Record<string, Mend>> = {
  [UNREACHABLE]: { text: 'Is the client still running? Start it with “cocoon client” or “cocoon up”.' },
  invalid_api_key: { text: 'Run “cocoon console” on the node for the owner’s address, or make a key.', href: '#/keys' },
  model_not_found: { text: 'See what is on offer.', href: '#/models' },
  context_length_exceeded: { text: 'Shorten the conversation, or lower the longest answer.' },
  'payment.budget-exceeded': { text: 'Lower the longest answer, or raise the budget.', href: '#/budgets' },
  'payment.max-cost': { text: 'Raise the most it may cost, or lower the longest answer.' },
  'payment.balance': { text: 'Put more TON into the account: “cocoon account status” says how much is missing.' },
  'payment.no-account': { text: 'Wait for the first deposit to be confirmed: “cocoon account status” shows it.' },
  'capacity.price': { text: 'Raise the highest price, or wait for a cheaper worker.', href: '#/models' },
  'capacity.no-workers': { text: 'Wait for a worker, or choose another model.', href: '#/models' },
  'capacity.no-proxy': { text: 'The node has no connection to the network: “cocoon status” says why.' },
  'capacity.not-ready': { text: 'The node is still connecting. Try again in a moment.' },
  'capacity.busy': { text: 'Try again in a moment.' },
  'capacity.queue-full': { text: 'All workers are busy. Try again in a moment.' },
  'capacity.rate-limit': { text: 'Wait, or raise the key’s limits by making another one.', href: '#/keys' },
  'capacity.timeout': { text: 'Give it more time, or choose a model with a lower load.', href: '#/models' },
  'capacity.gateway-full': { text: 'Make room on the node’s disk; it goes on by itself.' },
  'capacity.gateway-failed': { text: 'Check the node’s disk and restart the client.' },
  'request.not-allowed': { text: 'Ask an owner of the project, or the owner of the node.' },
  'request.key-expired': { text: 'Make another key.', href: '#/keys' },
  'request.key-revoked': { text: 'Make another key.', href: '#/keys' },
  'request.key-scope': { text: 'Make a key with this scope.', href: '#/keys' },
  'request.key-model': { text: 'Choose a model that the key may ask, or make another key.', href: '#/keys' },
  'request.above-rate-limit': { text: 'Lower the longest answer, or make a key with higher limits.', href: '#/keys' },
}

/** Families of codes that are no fault of the person who asks. */
const FAMILY_MENDS: Readonly<Record<string, Mend>> = {
  engine: { text: 'The worker’s engine failed. Nothing was charged for what was not delivered; try again.' },
  protocol: { text: 'The connection to the network broke. Try again.' },
  attestation: { text: 'A peer could not prove what it is; the node refuses it. “cocoon status” has the reason.' },
  chain: { text: 'TON cannot be reached at the moment. Try again in a minute.' },
}

export function mendOf(code: string): Mend | null {
  return MENDS[code] ?? FAMILY_MENDS[code.split('.', 1)[0] ?? ''] ?? null
}
