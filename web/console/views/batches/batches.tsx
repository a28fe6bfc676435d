/** Batches: many requests in one file, with how far each has come, what it cost and what it wrote. */
import { useState } from 'preact/hooks'
import { useFetched } from '../../node/fetched.ts'
import { isNodeOwner, useSelf } from '../../node/self.ts'
import { useNode } from '../../node/session.ts'
import type { Batch, BatchProblem, List, StoredFile } from '../../node/shapes.ts'
import { Action } from '../../parts/action.tsx'
import { Complaint } from '../../parts/complaint.tsx'
import { formatAmount, formatMoney, formatTime } from '../../parts/format.ts'
import { Meter } from '../../parts/meter.tsx'
import { saveAs } from '../../parts/save-as.ts'
import { type Column, Table } from '../../parts/table.tsx'
import { keptCallerKey } from '../playground/caller-key.tsx'
import { BatchForm, type NewBatch } from './batch-form.tsx'

const EVERY_MS = 3_000
/** As many as the node gives at once. */
const LIMIT = 100
const RUNNING: ReadonlySet<string> = new Set(['validating', 'in_progress', 'finalizing', 'cancelling'])

export function Batches() {
  const node = useNode()
  const apiKey = isNodeOwner(useSelf()) ? '' : keptCallerKey()
  const [trouble, setTrouble] = useState<unknown>(null)
  const { value, error, reload } = useFetched(
    'batches',
    (signal) => node.askJson<List<Batch>>(`/v1/batches?limit=${LIMIT}`, apiKey, { signal }),
    { everyMs: EVERY_MS },
  )
  async function start({ file, ...order }: NewBatch): Promise<void> {
    setTrouble(null)
    const form = new FormData()
    form.append('purpose', 'batch')
    form.append('file', file)
    const { id } = await node.askJson<StoredFile>('/v1/files', apiKey, { body: form })
    await node.ask('/v1/batches', apiKey, { body: { input_file_id: id, ...order } })
    reload()
  }
  async function cancel(id: string): Promise<void> {
    setTrouble(null)
    await node.ask(`/v1/batches/${id}/cancel`, apiKey, { body: {} })
    reload()
  }
  async function save(id: string, name: string): Promise<void> {
    setTrouble(null)
    const reply = await node.ask(`/v1/files/${id}/content`, apiKey)
    saveAs(name, await reply.blob())
  }
  const columns: readonly Column<Batch>[] = [
    { head: 'Batch', cell: ({ id }) => <code>{id}</code> },
    { head: 'State', cell: (batch) => <State batch={batch} /> },
    { head: 'Answered', cell: (batch) => <Progress batch={batch} /> },
    {
      head: 'Cost',
      cell: (one) =>
        `${formatMoney(one.cost_nano, one.cost_fiat)}${one.unsettled_nano === '0' ? '' : ` + ${formatAmount(one.unsettled_nano)} unsettled`}`,
      kind: 'number',
    },
    { head: 'Asks', cell: ({ endpoint }) => endpoint, kind: 'detail' },
    { head: 'Began', cell: ({ created_at: at }) => formatTime(isoOf(at)), kind: 'detail' },
    { head: 'Has until', cell: ({ expires_at: at }) => formatTime(isoOf(at)), kind: 'detail' },
    {
      head: 'Files',
      cell: ({ id, status, output_file_id: output, error_file_id: errors }) => (
        <span class="row">
          {output !== null && (
            <Action
              work={() => save(output, `${id}-answers.jsonl`)}
              complain={setTrouble}
              label={`Save the answers of ${id}`}
            >
              Answers
            </Action>
          )}
          {errors !== null && (
            <Action
              work={() => save(errors, `${id}-errors.jsonl`)}
              complain={setTrouble}
              label={`Save the errors of ${id}`}
            >
              Errors
            </Action>
          )}
          {RUNNING.has(status) && status !== 'cancelling' && (
            <Action work={() => cancel(id)} complain={setTrouble} label={`Cancel ${id}`} confirm="Cancel it for good">
              Cancel
            </Action>
          )}
        </span>
      ),
    },
  ]
  return (
    <>
      <Complaint error={trouble ?? error} />
      {value !== null && (
        <>
          <BatchForm start={start} complain={setTrouble} />
          <Table
            caption="Batches, newest first; looked up again every three seconds"
            columns={columns}
            rows={value.data}
            keyOf={({ id }) => id}
            details={({ errors }) => (errors === null ? null : <Problems problems={errors.data} />)}
            none="No batches yet. One answers the requests of a file when the network has room, at the price you allow."
          />
        </>
      )}
    </>
  )
}

const isoOf = (seconds: number): string => new Date(seconds * 1_000).toISOString()

const CLASSES: Readonly<Record<string, string>> = { completed: 'good', failed: 'bad', expired: 'odd', cancelled: 'odd' }

/** Why nothing goes out at the moment, by the node's word for it. */
const WAITS: Readonly<Record<string, string>> = {
  interactive: 'waits: others ask at the moment, and go first',
  'no-proxy': 'waits for a connection to the network',
  'no-workers': 'waits for a worker with the model',
  price: 'waits for a worker below its highest price',
  busy: 'waits for workers with room',
  budget: 'waits for a budget with room',
  deposit: 'waits for a higher deposit',
  faults: 'waits a moment after failures',
  disk: 'waits for room on the node’s disk',
}

function State({ batch: { status, waiting_for: waiting } }: { readonly batch: Batch }) {
  return (
    <>
      <span class={CLASSES[status] ?? ''}>{status.replaceAll('_', ' ')}</span>
      {waiting !== null && <small class="hint"> {WAITS[waiting] ?? waiting}</small>}
    </>
  )
}

function Progress({ batch: { request_counts: counts } }: { readonly batch: Batch }) {
  const { total, completed, failed } = counts
  const text = `${completed} of ${total}${failed === 0 ? '' : `, ${failed} failed`}`
  return <Meter value={completed + failed} max={total} text={text} />
}

function Problems({ problems }: { readonly problems: readonly BatchProblem[] }) {
  return (
    <ul class="request">
      {problems.map(({ code, message, line }, i) => (
        <li key={i}>
          {line !== null && `Line ${line}: `}
          {message} <code>{code}</code>
        </li>
      ))}
    </ul>
  )
}
