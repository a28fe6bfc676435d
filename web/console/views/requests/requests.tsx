/** Requests as they end, each with its course: live, without moving what is being read. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { ViewProps } from '../../app.tsx'
import { useFetched } from '../../node/fetched.ts'
import { queryOf } from '../../node/node-api.ts'
import { useNode } from '../../node/session.ts'
import type { ApiKey, List, Project, Receipt, ReceiptPage } from '../../node/shapes.ts'
import { Action } from '../../parts/action.tsx'
import { Complaint } from '../../parts/complaint.tsx'
import { saveAs } from '../../parts/save-as.ts'
import { formatAmount, formatCount, formatMoney, formatTime, shortId } from '../../parts/format.ts'
import { type Column, Table } from '../../parts/table.tsx'
import { EMPTY_LIST, firstPage, type ReceiptList, withHeld, withNewest, withOlder } from './receipt-list.ts'
import { RequestDetails } from './request-details.tsx'
import { EVERYTHING, RequestFilter, type Wanted } from './request-filter.tsx'
import { TimeBar } from './time-bar.tsx'

const PAGE = 50
const EVERY_MS = 3_000
/** As many as the node gives at once. */
const MOST_SAVED = 10_000
/** Who has scrolled further than this reads something, and it stays where it is. */
const TOP_PX = 200

export function Requests({ rest }: ViewProps) {
  const node = useNode()
  const [wanted, setWanted] = useState<Wanted>({ ...EVERYTHING, request: rest })
  const [list, setList] = useState<ReceiptList>(EMPTY_LIST)
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set())
  const [isLive, setLive] = useState(true)
  const [trouble, setTrouble] = useState<unknown>(null)
  useEffect(() => setWanted((before) => (rest === before.request ? before : { ...EVERYTHING, request: rest })), [rest])

  const filter = queryOf({ ...wanted, limit: PAGE })
  const shownFilter = useRef('')
  const isReading = useRef(false)
  isReading.current = opened.size > 0
  const newest = useFetched(
    `receipts ${filter}`,
    (signal) => node.admin<ReceiptPage>(`/receipts${filter}`, { signal }),
    {
      everyMs: isLive ? EVERY_MS : undefined,
    },
  )
  const accounts = useFetched('accounts', async (signal) => {
    const [keys, projects] = await Promise.all([
      node.admin<List<ApiKey>>('/keys', { signal }),
      node.admin<List<Project>>('/projects', { signal }),
    ])
    return { keys: keys.data, projects: projects.data }
  })
  useEffect(() => {
    const page = newest.value
    if (page === null || newest.isFetching) return
    const isSame = shownFilter.current === filter
    shownFilter.current = filter
    const mayMove = !isReading.current && scrollY < TOP_PX
    setList((before) => (isSame ? withNewest(before, page.data, PAGE, mayMove) : firstPage(page.data, PAGE)))
    // One that was asked for by its id is why the reader came.
    if (!isSame && wanted.request !== '' && page.data.length === 1) setOpened(new Set(page.data.map(({ seq }) => seq)))
  }, [newest.value, newest.isFetching])

  const toggle = useCallback(
    (seq: number) =>
      setOpened((before) =>
        before.has(seq) ? new Set([...before].filter((one) => one !== seq)) : new Set([...before, seq]),
      ),
    [],
  )
  async function loadOlder(): Promise<void> {
    const before = list.shown.at(-1)?.seq
    const page = await node.admin<ReceiptPage>(`/receipts${queryOf({ ...wanted, limit: PAGE, before })}`)
    setList((now) => withOlder(now, page.data, PAGE))
  }
  async function save(): Promise<void> {
    const csv = await node.adminText(`/receipts${queryOf({ ...wanted, limit: MOST_SAVED, format: 'csv' })}`)
    saveAs('cocoon-requests.csv', csv)
  }
  const keyNames = new Map(accounts.value?.keys.map(({ id, name }) => [id, name]))
  const longestMs = Math.max(1, ...list.shown.map((one) => one.duration_ms))
  const isFirst = newest.value === null
  return (
    <>
      <RequestFilter
        value={wanted}
        onChange={(next) => {
          setOpened(new Set())
          setWanted(next)
        }}
        keys={accounts.value?.keys ?? []}
        projects={accounts.value?.projects ?? []}
      />
      <div class="row">
        <label class="check">
          <input type="checkbox" checked={isLive} onChange={(event) => setLive(event.currentTarget.checked)} />
          <span>Live</span>
        </label>
        <Action work={async () => newest.reload()} complain={setTrouble}>
          Look again
        </Action>
        <Action work={save} complain={setTrouble}>
          Download CSV
        </Action>
        {newest.value !== null && (
          <p class="hint">
            {formatCount(newest.value.count)} requests, {formatMoney(newest.value.cost_nano, newest.value.cost_fiat)} in
            all.
          </p>
        )}
      </div>
      <Complaint error={trouble ?? newest.error ?? accounts.error} />
      <p role="status" class="arrived">
        {list.held.length > 0 && (
          <button type="button" class="main" onClick={() => setList((before) => withHeld(before, PAGE))}>
            Show {list.held.length} new
          </button>
        )}
      </p>
      {!isFirst && (
        <Table
          caption="Newest requests"
          columns={columnsOf(opened, toggle, keyNames, longestMs)}
          rows={list.shown}
          keyOf={({ seq }) => String(seq)}
          details={(one) => (opened.has(one.seq) ? <RequestDetails receipt={one} /> : null)}
          none={filter === queryOf({ ...EVERYTHING, limit: PAGE }) ? 'No requests yet.' : 'No request fits.'}
        />
      )}
      {list.shown.length > 0 && !list.isComplete && (
        <Action work={loadOlder} complain={setTrouble}>
          Load older
        </Action>
      )}
    </>
  )
}

function columnsOf(
  opened: ReadonlySet<number>,
  toggle: (seq: number) => void,
  keyNames: ReadonlyMap<string, string>,
  longestMs: number,
): readonly Column<Receipt>[] {
  return [
    {
      head: 'Request',
      cell: ({ seq, request }) => (
        <button
          type="button"
          class="small"
          aria-expanded={opened.has(seq)}
          aria-label={`Request ${request}`}
          onClick={() => toggle(seq)}
        >
          <span aria-hidden="true">{opened.has(seq) ? '▾' : '▸'}</span> <code>{shortId(request)}</code>
        </button>
      ),
    },
    { head: 'Result', cell: ({ result, code }) => <span class={`result ${result}`}>{code ?? result}</span> },
    { head: 'Times', cell: (one) => <TimeBar receipt={one} longestMs={longestMs} /> },
    {
      head: 'Ended',
      cell: ({ ended_at: at }) => (
        <time dateTime={at} title={at}>
          {formatTime(at)}
        </time>
      ),
    },
    { head: 'Model', cell: ({ model }) => model },
    { head: 'Key', cell: ({ key }) => keyNames.get(key) || key, kind: 'detail' },
    { head: 'Tokens', cell: (one) => formatCount(one.total_tokens), kind: 'detail number' },
    {
      head: 'Cost',
      cell: (one) => `${formatAmount(one.cost_nano)}${one.unsettled_nano === '0' ? '' : ' + unsettled'}`,
      kind: 'number',
    },
    { head: 'Evidence', cell: ({ evidence }) => evidence ?? '', kind: 'detail' },
  ]
}
