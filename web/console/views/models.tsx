/** Models on offer: price for a million tokens of each class, load, what they can do, and each of their workers. */
import { useState } from 'preact/hooks'
import { useFetched } from '../node/fetched.ts'
import { isNodeOwner, useSelf } from '../node/self.ts'
import { useNode } from '../node/session.ts'
import { answersChat, type List, type Model, type ModelList, type Price, TOKEN_CLASSES } from '../node/shapes.ts'
import { Complaint } from '../parts/complaint.tsx'
import { Field, TextInput } from '../parts/field.tsx'
import { formatAmount, formatCount, formatMoney } from '../parts/format.ts'
import { Meter } from '../parts/meter.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { keptCallerKey } from './playground/caller-key.tsx'

const EVERY_MS = 10_000

interface Offer extends Price {
  /** Null between two answers of the node. */
  readonly model: Model | null
  readonly running: number
  readonly room: number
}

export function Models() {
  const node = useNode()
  // Members' credentials open no models; the key that they gave to the playground does.
  const apiKey = isNodeOwner(useSelf()) ? '' : keptCallerKey()
  const [wanted, setWanted] = useState('')
  const [opened, setOpened] = useState('')
  const { value, error } = useFetched(
    'models',
    async (signal) => {
      const [prices, models] = await Promise.all([
        node.askJson<List<Price>>('/v1/prices', apiKey, { signal }),
        node.askJson<ModelList>('/v1/models', apiKey, { signal }),
      ])
      return { offers: offersOf(prices.data, models.data), silent: models.silent_proxies }
    },
    { everyMs: EVERY_MS },
  )
  const shown = value?.offers.filter(({ id }) => id.toLowerCase().includes(wanted.trim().toLowerCase())) ?? []
  return (
    <>
      <Complaint error={error} />
      <div class="row">
        <Field label="Find a model">
          <TextInput value={wanted} onInput={setWanted} />
        </Field>
      </div>
      {value !== null && value.silent.length > 0 && (
        <p class="hint" role="status">
          {value.silent.length === 1 ? 'One proxy' : `${value.silent.length} proxies`} did not answer (
          {value.silent.join(', ')}): workers that only they have are missing here.
        </p>
      )}
      {value !== null && (
        <Table
          caption="Prices for a million tokens, at the cheapest worker; looked up again every ten seconds"
          columns={columnsOf(opened, setOpened)}
          rows={shown}
          keyOf={({ id }) => id}
          details={({ id, model }) => (id === opened && model !== null ? <Workers model={model} /> : null)}
          none={
            value.offers.length === 0 ? 'No worker offers a model at the moment.' : 'No model has this in its name.'
          }
        />
      )}
    </>
  )
}

const columnsOf = (opened: string, open: (id: string) => void): readonly Column<Offer>[] => [
  {
    head: 'Model',
    cell: ({ id, model }) =>
      model !== null && !answersChat(model) ? id : <a href={`#/playground/${encodeURIComponent(id)}`}>{id}</a>,
  },
  {
    head: 'Workers',
    cell: ({ id, workers }) => (
      <button
        type="button"
        class="small"
        aria-expanded={id === opened}
        aria-label={`Workers of ${id}: ${workers}`}
        onClick={() => open(id === opened ? '' : id)}
      >
        <span aria-hidden="true">{id === opened ? '▾' : '▸'}</span> {workers}
      </button>
    ),
  },
  {
    head: 'Busy',
    cell: ({ running, room }) =>
      room === 0 ? 'not told' : <Meter value={running} max={room} high={room * 0.9} text={`${running} of ${room}`} />,
  },
  ...TOKEN_CLASSES.map(
    (kind): Column<Offer> => ({
      head: `${kind[0]?.toUpperCase()}${kind.slice(1)}`,
      cell: (price) => <ClassPrice price={price} kind={kind} />,
      kind: kind === 'prompt' || kind === 'completion' ? 'number' : 'detail number',
    }),
  ),
  { head: 'Context', cell: ({ model }) => contextOf(model?.context_length ?? null), kind: 'detail number' },
  { head: 'Can', cell: ({ model }) => listOf(model?.capabilities ?? null), kind: 'detail' },
  { head: 'Evidence', cell: ({ model }) => model?.evidence ?? NOT_TOLD, kind: 'detail' },
]

const NOT_TOLD = 'not told'
const contextOf = (tokens: number | null): string => (tokens === null ? NOT_TOLD : formatCount(tokens))
const listOf = (words: readonly string[] | null): string =>
  words === null || words.length === 0 ? NOT_TOLD : words.join(', ')

/** Coefficients are per mille. */
const WHOLE_COEFFICIENT = 1_000

function Workers({ model }: { readonly model: Model }) {
  return (
    <ol class="request workers" aria-label={`Workers of ${model.id}`}>
      {model.workers.map((worker, i) => (
        <li key={i}>
          <dl class="facts">
            <Fact name="Price" value={`${worker.coefficient / WHOLE_COEFFICIENT} × the network’s`} />
            <Fact name="Busy" value={`${worker.running_requests} of ${worker.max_running_requests}`} />
            <Fact name="Context" value={contextOf(worker.context_length)} />
            <Fact name="Can" value={listOf(worker.capabilities)} />
            <Fact name="Cannot" value={listOf(worker.missing)} />
            <Fact name="Evidence" value={worker.evidence ?? NOT_TOLD} />
            <Fact name="Behind" value={worker.proxies.join(', ')} />
          </dl>
        </li>
      ))}
    </ol>
  )
}

const Fact = ({ name, value }: { readonly name: string; readonly value: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </div>
)

function ClassPrice({ price, kind }: { readonly price: Price; readonly kind: (typeof TOKEN_CLASSES)[number] }) {
  const { cheapest, dearest } = price
  if (cheapest === null || dearest === null) return null
  const [least, most] = [cheapest[`${kind}_per_million_nano`], dearest[`${kind}_per_million_nano`]]
  return (
    <>
      {formatMoney(least, cheapest[`${kind}_per_million_fiat`])}
      {most !== least && <small class="hint"> to {formatAmount(most)}</small>}
    </>
  )
}

function offersOf(prices: readonly Price[], models: readonly Model[]): readonly Offer[] {
  return prices.map((price) => {
    const model = models.find(({ id }) => id === price.id) ?? null
    const workers = model?.workers ?? []
    const sum = (of: 'running_requests' | 'max_running_requests'): number =>
      workers.reduce((total, worker) => total + worker[of], 0)
    return { ...price, model, running: sum('running_requests'), room: sum('max_running_requests') }
  })
}
