/** The page: files, choices, results. It judges again whenever something changes. */
import {
  BUILT_IN_POLICIES,
  explainPolicy,
  isBuiltInPolicy,
  type JudgeContext,
  type Policy,
} from '../../src/tee/browser.ts'
import { type Choice, judgeFiles } from './assess.ts'
import { element } from './element.ts'
import { describeFile, type GivenFile, readGivenFile } from './inputs.ts'
import { showJudged } from './show.ts'

const NETWORKS: Readonly<Record<string, JudgeContext['networkEvidence']>> = {
  none: null,
  real: 'real',
  simulated: 'simulated',
}

function start(page: HTMLElement): void {
  let files: readonly GivenFile[] = []
  let round = 0

  const list = element('ul', { class: 'files', 'aria-label': 'Files' })
  const results = element('div', { 'aria-live': 'polite', id: 'results' })
  const complaint = element('p', { class: 'complaint', role: 'alert' })
  const picker = element('input', {
    type: 'file',
    id: 'files',
    multiple: true,
    onchange: () => void take(picker.files),
  })
  const drop = element(
    'div',
    {
      class: 'drop',
      ondragover: (event) => {
        event.preventDefault()
        drop.classList.add('over')
      },
      ondragleave: () => drop.classList.remove('over'),
      ondrop: (event) => {
        event.preventDefault()
        drop.classList.remove('over')
        void take((event as DragEvent).dataTransfer?.files ?? null)
      },
    },
    element('label', { for: 'files' }, 'Drop files here, or choose them'),
    picker,
    element(
      'p',
      {},
      'Intel quote, SEV-SNP report (binary, hex or Base64), NVIDIA’s JSON, certificate (PEM or DER), TCG event log; with them a collateral bundle and, if you have your own, a policy.',
    ),
  )

  const policy = element('select', { id: 'policy', onchange: judge })
  const explanation = element('ul', { class: 'sentences' })
  const time = element('input', {
    id: 'time',
    type: 'text',
    placeholder: 'now',
    spellcheck: 'false',
    autocomplete: 'off',
    onchange: judge,
  })
  const images = element('textarea', { id: 'images', rows: '2', spellcheck: 'false', onchange: judge })
  const network = element(
    'select',
    { id: 'network', onchange: judge },
    element('option', { value: 'none' }, 'not said'),
    element('option', { value: 'real' }, 'real evidence'),
    element('option', { value: 'simulated' }, 'a test network with simulated evidence'),
  )
  const field = (label: string, control: HTMLElement, hint: string): HTMLElement =>
    element(
      'div',
      { class: control === images ? 'field wide' : 'field' },
      element('label', { for: control.id }, label),
      control,
      element('p', { class: 'hint', id: `${control.id}-hint` }, hint),
    )

  page.append(
    element('section', { 'aria-label': 'Evidence' }, drop, list),
    element(
      'section',
      { class: 'choices', 'aria-label': 'How it is judged' },
      field('Policy', policy, 'What evidence must be. A policy file that you drop joins the list.'),
      field('Time', time, 'Judge as of this time, like 2026-03-05T10:50:03Z. Empty: now.'),
      field('Network', network, 'What the network asks its nodes for.'),
      field(
        'Allowed images',
        images,
        'Image hashes that you trust, 64 hex digits each. A list that is empty allows none.',
      ),
      element('details', { class: 'explain' }, element('summary', {}, 'What this policy accepts'), explanation),
    ),
    complaint,
    results,
  )
  offerPolicies()
  judge()

  async function take(chosen: FileList | null): Promise<void> {
    if (chosen === null || chosen.length === 0) return
    const read = await Promise.all([...chosen].map(readGivenFile))
    // A file of the same name replaces the older one.
    files = [...files.filter((file) => !read.some(({ name }) => name === file.name)), ...read]
    picker.value = ''
    offerPolicies(read.findLast((file) => file.kind === 'policy')?.policy.name)
    judge()
  }

  function ownPolicies(): readonly Policy[] {
    return files.flatMap((file) => (file.kind === 'policy' ? [file.policy] : []))
  }

  function offerPolicies(chosen = policy.value || 'strict'): void {
    const all = [...Object.values(BUILT_IN_POLICIES), ...ownPolicies()]
    policy.replaceChildren(...all.map(({ name }) => element('option', { value: name }, name)))
    policy.value = all.some(({ name }) => name === chosen) ? chosen : 'strict'
  }

  function showFiles(): void {
    list.replaceChildren(
      ...files.map((file) =>
        element(
          'li',
          { class: file.kind },
          element('span', { class: 'name' }, file.name),
          element('span', {}, describeFile(file)),
          element(
            'button',
            {
              type: 'button',
              'aria-label': `Remove ${file.name}`,
              onclick: () => {
                files = files.filter((other) => other !== file)
                offerPolicies()
                judge()
              },
            },
            'Remove',
          ),
        ),
      ),
    )
  }

  function judge(): void {
    showFiles()
    const choice = readChoice()
    complaint.textContent = typeof choice === 'string' ? choice : ''
    if (typeof choice === 'string') {
      results.replaceChildren()
      return
    }
    explanation.replaceChildren(...explainPolicy(choice.policy).map((sentence) => element('li', {}, sentence)))
    round += 1
    const own = round
    judgeFiles(files, choice).then(
      (judged) => {
        // A later round may have overtaken this one.
        if (own !== round) return
        const open = openGroups()
        results.replaceChildren(...judged.map(showJudged))
        for (const group of results.querySelectorAll('details'))
          if (open.has(nameOf(group))) group.setAttribute('open', '')
      },
      (error: unknown) => {
        complaint.textContent = `This page failed: ${error instanceof Error ? error.message : String(error)}`
      },
    )
  }

  /** What a person opened stays open when it is judged again. */
  function openGroups(): ReadonlySet<string> {
    return new Set([...results.querySelectorAll('details[open]')].map(nameOf))
  }

  /** A sentence when something that was written cannot be used. */
  function readChoice(): Choice | string {
    const name = policy.value
    const chosen =
      ownPolicies().find((own) => own.name === name) ?? (isBuiltInPolicy(name) ? BUILT_IN_POLICIES[name] : null)
    if (chosen === null) return `There is no policy ${name}.`
    const at = time.value.trim()
    const nowMs = at === '' ? Date.now() : Date.parse(at)
    if (!Number.isFinite(nowMs) || (at !== '' && !/(?:Z|[+-]\d\d:\d\d)$/.test(at)))
      return `“${at}” is no time with its zone, like 2026-03-05T10:50:03Z.`
    const hashes = images.value.split(/[\s,]+/).filter((word) => word !== '')
    const wrong = hashes.find((hash) => !/^[0-9a-fA-F]{64}$/.test(hash))
    if (wrong !== undefined) return `“${wrong}” is no image hash: 64 hex digits.`
    if (hashes.length > 0 && chosen.images !== 'registry')
      return `The policy ${chosen.name} lists its own images; add the hash there.`
    return {
      policy: chosen,
      nowMs,
      images: hashes.map((hash) => hash.toLowerCase()),
      network: NETWORKS[network.value] ?? null,
    }
  }
}

const nameOf = (group: Element): string =>
  `${group.closest('article')?.getAttribute('aria-label')} ${group.querySelector('summary span, summary')?.textContent}`

start(document.querySelector('#page') as HTMLElement)
