/** docs/configuration.md, written from the schema so that it cannot disagree with it. */
import { allSettings, pathText, type Setting } from './settings.ts'

const SECTIONS: readonly (readonly [prefix: string, title: string, about: string])[] = [
  ['', 'General', 'Settings of every command.'],
  ['ton', 'TON', 'How the chain is reached, for networks that have one: [TON](chain.md).'],
  ['wallet', 'Owner’s wallet', 'What `cocoon wallet`, `account` and `root` pay from.'],
  ['log', 'Log', 'What is written where. Prompts, answers and keys are in no line at any level.'],
  [
    'attestation',
    'Attestation',
    'What peers must prove, and where nodes learn what hardware makers publish ([attestation](attestation.md)).',
  ],
  ['telemetry', 'Traces', 'Where spans of requests go ([operations](operations.md#traces)).'],
  ['client', 'Client', 'The node that pays and asks; `client.http` is its OpenAI-compatible API.'],
  ['proxy', 'Proxy', 'The node that routes and accounts; `proxy.http` are its operations endpoints.'],
  ['worker', 'Worker', 'The node that answers; `worker.engine` is the inference engine behind it.'],
  [
    'engine',
    'Embedded engine',
    'llama.cpp, or Whisper where the model is one for speech, in a process of its own, for machines without vLLM or the like. Whisper has no use for the context, the GPU, sampling and penalties.',
  ],
  [
    'devnet',
    'Local chain',
    'A TON chain with a real virtual machine on this machine, for contracts and tests: `cocoon devnet`.',
  ],
  ['up', 'Network in one command', 'What `cocoon up` does beyond starting the nodes.'],
]

export function renderConfigurationDocs(): string {
  const settings = allSettings()
  const parts = SECTIONS.map(([prefix, title, about]) => {
    const rows = settings.filter((s) => (prefix === '' ? s.path.length === 1 : s.path[0] === prefix))
    return `## ${title}\n\n${about}\n\n| key | what | values | default | variable |\n|---|---|---|---|---|\n${rows.map(row).join('\n')}\n`
  })
  return `${HEAD}\n${parts.join('\n')}`
}

const row = (s: Setting): string =>
  `| \`${pathText(s.path)}\` | ${cell(s.description)} | ${cell(s.values || s.type)} | ${defaultText(s)} | \`${s.env}\` |`

const cell = (text: string): string => text.replaceAll('|', '\\|')

function defaultText({ default: value, path }: Setting): string {
  if (value === undefined) return ''
  // It follows the machine, so the document names the rule instead of one machine's number.
  if (pathText(path) === 'engine.threads') return 'one less than the cores'
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

const HEAD = `# Configuration

What can be set, where, and what is the default? This page is generated from the schema (\`npm run docs:write\`).

A setting is taken from the first of these that has it: the command line, the environment, the configuration file, the default.

- **File**: JSON, given by \`--config FILE\` or \`COCOON_CONFIG\`, else \`cocoon.json\` in the working folder. A key \`client.http.port\` is
  \`{ "client": { "http": { "port": 10000 } } }\`. Unknown keys are errors.
- **Environment**: the variable of the last column. Lists are separated by commas, maps are JSON. Unknown \`COCOON_…\` variables are errors.
- **Command line**: the key with dashes, \`--client-http-port 10000\`; commands of one role take it without the role, \`cocoon client --http-port 10000\`.
  Secrets (\`apiKey\`, \`apiKeys\`, \`passphrase\`, \`secret\`) are never flags: other users of a machine can read command lines.

\`cocoon config check\` reads everything and says what is wrong; \`cocoon config show\` prints each setting with its origin.
`
