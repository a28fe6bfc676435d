/**
 * The Grafana dashboard, from a table: what each panel asks Prometheus. `scripts/docs.ts` writes it to deploy/grafana/cocoon.json
 * and holds every metric it names, and those of the alerts, against the ones that the program declares.
 */

interface Panel {
  readonly title: string
  /** As Grafana names it: `reqps`, `s`, `short`, `bytes`, `percentunit`. */
  readonly unit: string
  /** Legend and PromQL. */
  readonly queries: readonly (readonly [legend: string, expr: string])[]
}

const rate = (metric: string, by: string, of = ''): string =>
  `sum by (${by}) (rate(cocoon_${metric}${of}[$__rate_interval]))`
const quantile = (q: number, metric: string, of = ''): string =>
  `histogram_quantile(${q}, sum by (le) (rate(cocoon_${metric}_bucket${of}[$__rate_interval])))`
const times = (metric: string, of = ''): Panel['queries'] =>
  [0.5, 0.95, 0.99].map((q) => [`p${q * 100}`, quantile(q, metric, of)] as const)

const ROWS: readonly (readonly [title: string, panels: readonly Panel[]])[] = [
  [
    'Callers',
    [
      {
        title: 'Requests by status',
        unit: 'reqps',
        queries: [['{{status}}', rate('http_requests_total', 'status', '{job="client"}')]],
      },
      { title: 'Time to the first byte', unit: 's', queries: times('http_first_byte_seconds') },
      { title: 'Time to the end of an answer', unit: 's', queries: times('request_seconds', '{job="client"}') },
      { title: 'Requests running', unit: 'short', queries: [['{{job}}', 'sum by (job) (cocoon_running_requests)']] },
    ],
  ],
  [
    'Proxy',
    [
      {
        title: 'Requests by result',
        unit: 'reqps',
        queries: [['{{result}}', rate('requests_total', 'result', '{job="proxy"}')]],
      },
      {
        title: 'Refused before a worker was asked',
        unit: 'reqps',
        queries: [['{{reason}}', rate('requests_refused_total', 'reason')]],
      },
      {
        title: 'Peers ready',
        unit: 'short',
        queries: [
          ['workers', 'sum(cocoon_worker_connections)'],
          ['clients', 'sum(cocoon_client_connections)'],
        ],
      },
      {
        title: 'Answers that broke a rule',
        unit: 'reqps',
        queries: [
          ['refused: {{reason}}', rate('worker_answers_refused_total', 'reason')],
          ['stray', rate('stray_answers_total', 'job')],
        ],
      },
    ],
  ],
  [
    'Ledger and chain',
    [
      { title: 'Time to write and sync a group', unit: 's', queries: times('ledger_commit_seconds') },
      { title: 'Settlements', unit: 'reqps', queries: [['settled', rate('ledger_entries_total', 'instance')]] },
      {
        title: 'Calls to TON endpoints',
        unit: 'reqps',
        queries: [['{{endpoint}} {{outcome}}', rate('chain_requests_total', 'endpoint, outcome')]],
      },
      {
        title: 'Sent from the wallets',
        unit: 'short',
        queries: [
          ['{{job}} {{result}}', 'sum by (job, result) (increase(cocoon_chain_sends_total[1h]))'],
          ['{{job}} fees, nanoTON', 'sum by (job) (increase(cocoon_chain_fees_nano_total[1h]))'],
        ],
      },
    ],
  ],
  [
    'Workers and engines',
    [
      { title: 'Tokens by class', unit: 'short', queries: [['{{class}}', rate('tokens_total', 'class')]] },
      {
        title: 'Engine calls by outcome',
        unit: 'reqps',
        queries: [['{{outcome}}', rate('engine_calls_total', 'outcome')]],
      },
      { title: 'Engine answers', unit: 'short', queries: [['{{instance}}', 'cocoon_engine_up']] },
      {
        title: 'Answers that earned nothing',
        unit: 'reqps',
        queries: [['without usage', rate('engine_answers_without_usage_total', 'instance')]],
      },
    ],
  ],
  [
    'Connections',
    [
      {
        title: 'Refused before they were open',
        unit: 'cps',
        queries: [['{{job}} {{reason}}', rate('connections_refused_total', 'job, reason')]],
      },
      {
        title: 'Ended while open',
        unit: 'cps',
        queries: [['{{job}} {{reason}}', rate('connections_closed_total', 'job, reason')]],
      },
      {
        title: 'Queries refused, messages ignored',
        unit: 'cps',
        queries: [
          ['{{job}} refused {{code}}', rate('queries_refused_total', 'job, code')],
          ['{{job}} ignored', rate('messages_ignored_total', 'job')],
        ],
      },
      {
        title: 'Bytes of frames',
        unit: 'Bps',
        queries: [['{{job}} {{direction}}', rate('frame_bytes_total', 'job, direction')]],
      },
    ],
  ],
  [
    'Processes',
    [
      { title: 'Memory', unit: 'bytes', queries: [['{{job}} {{instance}}', 'cocoon_process_resident_memory_bytes']] },
      {
        title: 'Processor',
        unit: 'percentunit',
        queries: [['{{job}} {{instance}}', 'rate(cocoon_process_cpu_seconds_total[$__rate_interval])']],
      },
      {
        title: 'Delay of the event loop, p99',
        unit: 's',
        queries: [['{{job}} {{instance}}', 'cocoon_nodejs_eventloop_lag_p99_seconds']],
      },
      {
        title: 'Proxies that a node is connected to',
        unit: 'short',
        queries: [['{{job}} {{instance}}', 'cocoon_proxy_connections']],
      },
    ],
  ],
]

const WIDTH = 6
const HEIGHT = 8

/** The text of deploy/grafana/cocoon.json. */
export function renderDashboard(): string {
  let id = 0
  const panels = ROWS.flatMap(([title, row], at) => {
    const y = at * (HEIGHT + 1)
    return [
      { id: ++id, type: 'row', title, collapsed: false, gridPos: { x: 0, y, w: 24, h: 1 }, panels: [] },
      ...row.map((panel, i) => ({
        id: ++id,
        type: 'timeseries',
        title: panel.title,
        datasource: DATASOURCE,
        gridPos: { x: i * WIDTH, y: y + 1, w: WIDTH, h: HEIGHT },
        fieldConfig: {
          defaults: { unit: panel.unit, min: 0, custom: { fillOpacity: 8, showPoints: 'never' } },
          overrides: [],
        },
        options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
        targets: panel.queries.map(([legendFormat, expr], n) => ({
          refId: String.fromCharCode(65 + n),
          datasource: DATASOURCE,
          legendFormat,
          expr,
        })),
      })),
    ]
  })
  const source = { name: 'source', label: 'Prometheus', type: 'datasource', query: 'prometheus' }
  const dashboard = {
    title: 'Cocoon',
    uid: 'cocoon',
    tags: ['cocoon'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [source] },
    panels,
  }
  return `${JSON.stringify(dashboard, null, 2)}\n`
}

const DATASOURCE = { type: 'prometheus', uid: '${source}' }

/** Every query of the dashboard. */
export const dashboardQueries = (): string[] =>
  ROWS.flatMap(([, panels]) => panels.flatMap(({ queries }) => queries.map(([, expr]) => expr)))
