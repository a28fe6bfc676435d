/**
 * Do the documents still say what is there? `--check` holds links, sources named in comments, dependencies and commands
 * against the repository; `--write` first writes the generated ones. Exit 1 with one line a finding.
 */
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { parseArgs } from 'node:util'
import { openApiDocument } from '../src/api/index.ts'
import { renderConfigurationDocs } from '../src/cli/config-docs.ts'
import { filesBelow, lineAt, ROOT, readText } from '../test/support/source-files.ts'
import { dashboardQueries, renderDashboard } from './dashboard.ts'

/** Files that are made of the program. */
const GENERATED: readonly (readonly [path: string, render: () => string])[] = [
  ['docs/configuration.md', renderConfigurationDocs],
  ['docs/openapi.json', () => `${JSON.stringify(openApiDocument(), null, 1)}\n`],
  ['deploy/grafana/cocoon.json', renderDashboard],
]
const ALERTS = 'deploy/prometheus/alerts.yml'
/** What README promises and `.ci/run` must call, word for word. */
const TEST_LINE = 'npm ci && npm test'
const START_LINE = 'npm ci && npm start'

const { values: flags } = parseArgs({
  options: { check: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
})
if (!flags.check && !flags.write) {
  process.stderr.write('usage: node bin/run.mjs scripts/docs.ts --check | --write\n')
  process.exit(2)
}
if (flags.write) for (const [path, render] of GENERATED) writeFileSync(join(ROOT, path), render())

const files = filesBelow('')
const documents = files.filter((path) => path.endsWith('.md'))
const findings = [
  ...documents.flatMap(checkLinks),
  ...documents.filter((path) => /^(?:docs|spec)\/[^/]+\.md$/.test(path)).flatMap(checkOpening),
  ...documents.flatMap(checkCommands),
  ...files.filter((path) => /^(?:src|test|bench|scripts)\/.*\.ts$/.test(path)).flatMap(checkSources),
  ...checkDependencies(),
  ...checkGenerated(),
  ...checkMetrics(),
  ...checkPromisedLines(),
]
for (const finding of findings) process.stderr.write(`${finding}\n`)
process.stdout.write(
  findings.length === 0 ? `documents: ${documents.length} files checked\n` : `documents: ${findings.length} findings\n`,
)
process.exitCode = findings.length === 0 ? 0 : 1

/** Links to files and headings of this repository. Links to other places are not followed: tests use no network. */
function checkLinks(path: string): string[] {
  const text = withoutCode(readText(path))
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap((m) => {
    const link = m[1] as string
    if (/^[a-z]+:/.test(link)) return []
    const [file = '', anchor] = link.split('#', 2)
    const target = file === '' ? path : normalize(join(dirname(path), decodeURIComponent(file))).replaceAll('\\', '/')
    const at = `${path}:${lineAt(text, m.index)}`
    if (!existsSync(join(ROOT, target))) return [`${at} links to ${target}, which does not exist`]
    if (anchor === undefined || statSync(join(ROOT, target)).isDirectory()) return []
    return anchorsOf(target).has(anchor) ? [] : [`${at} links to #${anchor}, but ${target} has no such heading`]
  })
}

/** Heading ids as code hosts make them: lower case, punctuation away, spaces to dashes. */
function anchorsOf(path: string): Set<string> {
  return new Set(
    headingsOf(path).map((h) =>
      h
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-'),
    ),
  )
}

function headingsOf(path: string): string[] {
  return [...withoutFences(readText(path)).matchAll(/^#+\s+(.+)$/gm)].map((m) => (m[1] as string).trim())
}

function withoutFences(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, blank)
}

function withoutCode(text: string): string {
  return withoutFences(text).replaceAll(/`[^`\n]+`/g, blank)
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, ' ')
}

/** A document opens with the question it answers, or with a sentence; not with a list or another heading. */
function checkOpening(path: string): string[] {
  const [title, opening] = readText(path).split(/\n\s*\n/, 2)
  if (title === undefined || !/^# \S/.test(title)) return [`${path}:1 must begin with "# Title"`]
  if (opening === undefined || !/^[\p{L}`“*]/u.test(opening) || !/[.?:)]\s*$/.test(opening))
    return [`${path}:3 must open with the question it answers, or a sentence`]
  return []
}

/** `npm run x` names a script of package.json. */
function checkCommands(path: string): string[] {
  const text = readText(path)
  return [...text.matchAll(/\bnpm run ([\w:-]+)/g)]
    .filter((m) => !(`${m[1]}` in manifest().scripts))
    .map((m) => `${path}:${lineAt(text, m.index)} names npm run ${m[1]}, which package.json does not have`)
}

/** Comments that cite a document name a file that exists, and a heading that it has: `spec/wire.md, "Addresses"`. */
function checkSources(path: string): string[] {
  const text = readText(path)
  return [...text.matchAll(/\b((?:docs|spec)\/[\w/-]+\.(?:md|json))(?:,\s+(?:\*\s+|\/\/\s+)?"([^"]+)")?/g)].flatMap(
    (m) => {
      const [, file = '', heading] = m
      // A path inside a string is the code's business.
      if (/['"`(./]$/.test(text.slice(0, m.index))) return []
      const at = `${path}:${lineAt(text, m.index)}`
      if (!existsSync(join(ROOT, file))) return [`${at} cites ${file}, which does not exist`]
      if (heading === undefined || !file.endsWith('.md')) return []
      return headingsOf(file).includes(heading) ? [] : [`${at} cites "${heading}", but ${file} has no such heading`]
    },
  )
}

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly overrides: Readonly<Record<string, string>>
}

function manifest(): Manifest {
  return JSON.parse(readText('package.json')) as Manifest
}

/** Every package has a row with its exact version; every row is a package that we have. */
function checkDependencies(): string[] {
  const path = 'docs/decisions/dependencies.md'
  const { dependencies, optionalDependencies, devDependencies, overrides } = manifest()
  const wanted = { ...overrides, ...devDependencies, ...optionalDependencies, ...dependencies }
  const rows = new Map(
    [...readText(path).matchAll(/^\|\s*`([^`]+)`\s*\|\s*`([^`]+)`\s*\|/gm)].map((m) => [m[1], m[2]] as const),
  )
  return [
    ...Object.entries(wanted).flatMap(([name, version]) => {
      if (!/^(?:npm:[\w./@-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
        return [`package.json: ${name} must be pinned to one version, not ${version}`]
      if (!rows.has(name)) return [`${path} has no row for \`${name}\` | \`${version}\``]
      return rows.get(name) === version ? [] : [`${path}: ${name} is ${version} now, the row says ${rows.get(name)}`]
    }),
    ...[...rows.keys()]
      .filter((name) => !((name as string) in wanted))
      .map((name) => `${path}: ${name} is not in package.json any more`),
  ]
}

function checkGenerated(): string[] {
  return GENERATED.filter(([path, render]) => !existsSync(join(ROOT, path)) || readText(path) !== render()).map(
    ([path]) => `${path} is not what the program says; run npm run docs:write`,
  )
}

/** What dashboard and alerts ask for must be something that a node tells. */
function checkMetrics(): string[] {
  const declared = new Set(
    files
      .filter((path) => /^src\/.*(?<!\.test|\.suite)\.ts$/.test(path))
      .flatMap((path) =>
        [...readText(path).matchAll(/\.(?:counter|gauge|histogram)\(\s*'([a-z_0-9]+)'/g)].map((m) => m[1]),
      ),
  )
  const asked = [
    ...dashboardQueries().map((q) => ['the dashboard', q]),
    ...readText(ALERTS)
      .split('\n')
      .map((q) => [ALERTS, q]),
  ]
  return asked.flatMap(([where, query]) =>
    [...(query as string).matchAll(/\bcocoon_([a-z_0-9]+)/g)]
      .map((m) => (m[1] as string).replace(/_bucket$/, ''))
      // Those of prom-client itself: of the process and of Node.
      .filter((name) => !declared.has(name) && !/^(?:process|nodejs)_/.test(name))
      .map((name) => `${where} asks for cocoon_${name}, which no node tells`),
  )
}

function checkPromisedLines(): string[] {
  const [readme, ci] = [readText('README.md').split('\n'), readText('.ci/run')]
  return [
    ...[START_LINE, TEST_LINE]
      .filter((line) => !readme.includes(line))
      .map((line) => `README.md: has no line "${line}"`),
    ...(ci.includes(TEST_LINE) ? [] : [`.ci/run: must call "${TEST_LINE}", the line of README.md`]),
  ]
}
