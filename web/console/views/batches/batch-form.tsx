/** A new batch: its file, what it asks, how long it may take and what it may cost. */
import { useRef, useState } from 'preact/hooks'
import { Action } from '../../parts/action.tsx'
import { Choice, Field, TextInput } from '../../parts/field.tsx'

/** The file, and what `POST /v1/batches` takes besides. */
export interface NewBatch {
  readonly file: File
  readonly endpoint: string
  readonly completion_window: string
  readonly max_cost?: string
  readonly max_coefficient?: number
}

export interface BatchFormProps {
  readonly start: (wanted: NewBatch) => Promise<void>
  readonly complain: (error: unknown) => void
}

const ENDPOINTS = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/rerank', '/v1/responses']
const WINDOWS = ['1h', '6h', '24h', '72h', '168h']
/** Coefficients are per mille. */
const WHOLE_COEFFICIENT = 1_000

export function BatchForm({ start, complain }: BatchFormProps) {
  const [isOpen, setOpen] = useState(false)
  const [file, setFile] = useState<File | null>(null)
  const [endpoint, setEndpoint] = useState('/v1/chat/completions')
  const [window, setWindow] = useState('24h')
  const [maxCost, setMaxCost] = useState('')
  const [maxPrice, setMaxPrice] = useState('')
  const input = useRef<HTMLInputElement>(null)
  async function send(): Promise<void> {
    if (file === null) return
    const price = Number(maxPrice)
    await start({
      file,
      endpoint,
      completion_window: window,
      ...(maxCost.trim() === '' ? {} : { max_cost: `${maxCost.trim()} TON` }),
      ...(maxPrice.trim() === '' || !Number.isFinite(price)
        ? {}
        : { max_coefficient: Math.round(price * WHOLE_COEFFICIENT) }),
    })
    setFile(null)
    if (input.current !== null) input.current.value = ''
    setOpen(false)
  }
  return (
    <details class="form" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Start a batch</summary>
      <div class="row">
        <Field label="File" hint="JSONL: on each line custom_id, method, url and body.">
          <input
            ref={input}
            type="file"
            accept=".jsonl,application/jsonl,text/plain"
            onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)}
          />
        </Field>
        <Field label="Asks">
          <Choice value={endpoint} onChange={setEndpoint} options={ENDPOINTS} />
        </Field>
        <Field label="Has time">
          <Choice value={window} onChange={setWindow} options={WINDOWS} />
        </Field>
        <Field label="Most it may cost" hint="In TON, all lines together. Empty: as far as budgets allow.">
          <TextInput inputMode="decimal" placeholder="1" value={maxCost} onInput={setMaxCost} />
        </Field>
        <Field label="Highest price" hint="Times the network’s price: below it waits for cheap workers.">
          <TextInput type="number" min={0} step="0.1" value={maxPrice} onInput={setMaxPrice} />
        </Field>
      </div>
      <Action work={send} complain={complain} disabled={file === null} isMain>
        Start the batch
      </Action>
    </details>
  )
}
