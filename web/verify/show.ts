/** An assessment as a tree of checks: each with a mark, a word and what it looked at. */
import type { Assessment, Check, CheckInputs } from '../../src/tee/browser.ts'
import type { Judged } from './assess.ts'
import { element } from './element.ts'

const MARKS = {
  passed: { mark: '✓', word: 'pass' },
  failed: { mark: '✗', word: 'FAIL' },
  info: { mark: '·', word: 'note' },
} as const

const VERDICTS = {
  verified: { mark: '✓', words: 'Verified: the evidence is genuine, and the policy accepts it.' },
  simulated: { mark: '~', words: 'Simulated: it has the form that a test network agreed on. It proves nothing.' },
  refused: { mark: '✗', words: 'Refused' },
} as const

/** What a person on this page can do about it. */
const MENDS: Readonly<Record<string, string>> = {
  'attestation.collateral-missing': 'Add a bundle that has the vendors’ data for this machine and time.',
  'attestation.image-hash-list-empty': 'Name an image hash that you trust under “Allowed images”.',
  'attestation.simulated-network': 'Say under “Network” that this is a test network.',
  'attestation.simulated-not-accepted': 'Simulated evidence is judged by the policy devnet only.',
}

export function showJudged(judged: Judged): HTMLElement {
  const { assessment, target, at, policy } = judged
  return element(
    'article',
    { class: `result ${assessment.outcome}`, 'aria-label': `Result for ${target}` },
    verdictOf(assessment),
    element('h2', {}, `${target}: ${assessment.summary}`),
    element('p', { class: 'heading' }, `at ${at}, policy ${policy.name} (sha256 ${policy.sha256.slice(0, 16)}…)`),
    ...assessment.groups.map(({ title, checks }) => group(title, checks)),
    factsOf(assessment),
    sentences('Proven', assessment.proven, '+'),
    sentences('Not proven', assessment.notProven, '–'),
    element(
      'details',
      { class: 'json' },
      element('summary', {}, 'As JSON'),
      element('pre', { tabindex: '0' }, JSON.stringify(judged, null, 2)),
    ),
  )
}

function verdictOf({ outcome, code, groups }: Assessment): HTMLElement {
  const { mark, words } = VERDICTS[outcome]
  const [first, ...others] = groups.flatMap(({ checks }) => checks).filter((check) => check.outcome === 'failed')
  const more = others.length === 0 ? '' : ` And ${others.length} more, below.`
  const text = outcome === 'refused' ? `${words}: ${first?.detail ?? ''}${more}` : words
  const mend = code === null ? undefined : MENDS[code]
  return element(
    'div',
    { class: 'verdict' },
    element('span', { class: 'mark', 'aria-hidden': 'true' }, mark),
    element(
      'div',
      {},
      element('p', { class: 'words' }, text),
      code === null ? null : element('p', {}, element('code', {}, code)),
      mend === undefined ? null : element('p', {}, mend),
    ),
  )
}

function group(title: string, checks: readonly Check[]): HTMLElement {
  const failed = checks.filter(({ outcome }) => outcome === 'failed').length
  const passed = checks.filter(({ outcome }) => outcome === 'passed').length
  const count = failed === 0 ? `${passed} passed` : `${failed} failed, ${passed} passed`
  return element(
    'details',
    { class: 'group', open: failed > 0 || title.startsWith('Policy ') },
    element(
      'summary',
      {},
      element('span', {}, title),
      element('span', { class: failed === 0 ? 'count' : 'count failed' }, count),
    ),
    element('ul', {}, ...checks.map(checkItem)),
  )
}

function checkItem({ id, outcome, detail, inputs, code }: Check): HTMLElement {
  const { mark, word } = MARKS[outcome]
  const shown = entriesOf(inputs)
  return element(
    'li',
    { class: outcome },
    element('span', { class: 'mark' }, element('span', { 'aria-hidden': 'true' }, `${mark} `), word),
    element(
      'div',
      {},
      element('p', {}, element('code', {}, id), ` ${detail}`),
      code === undefined ? null : element('p', {}, element('code', {}, code)),
      shown.length === 0 ? null : pairs(shown),
    ),
  )
}

function factsOf({ facts, proven }: Assessment): HTMLElement | null {
  const shown = entriesOf(facts)
  if (shown.length === 0) return null
  const title = proven.length > 0 ? 'What it is' : 'What it says of itself'
  return element('section', {}, element('h3', {}, title), pairs(shown))
}

const entriesOf = (inputs: CheckInputs): [string, string][] =>
  Object.entries(inputs).flatMap(([name, value]) => (value === '' || value === null ? [] : [[name, String(value)]]))

const pairs = (entries: readonly (readonly [string, string])[]): HTMLElement =>
  element('dl', {}, ...entries.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]))

function sentences(title: string, list: readonly string[], mark: string): HTMLElement | null {
  if (list.length === 0) return null
  return element(
    'section',
    {},
    element('h3', {}, title),
    element(
      'ul',
      { class: 'sentences' },
      ...list.map((sentence) => element('li', {}, element('span', { 'aria-hidden': 'true' }, `${mark} `), sentence)),
    ),
  )
}
