/** Reading the configuration: file < environment < flags, one schema, unknown keys refused, every error names its origin. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { CocoonError } from '../util/index.ts'
import { type Config, configSchema } from './schema.ts'
import { allSettings, pathText, type Setting } from './settings.ts'

export interface Sources {
  /** `--config`, else COCOON_CONFIG, else `cocoon.json` of the working folder where there is one. */
  readonly file?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** What the command line gives, by setting path, with the flag as it was typed. */
  readonly flags: ReadonlyMap<string, { readonly flag: string; readonly value: string }>
}

export interface Loaded {
  readonly config: Config
  /** Where each given setting came from: a file's name, a variable, a flag. Everything else is the default. */
  readonly origins: ReadonlyMap<string, string>
  readonly file: string | null
}

/** Variables that are no settings. */
const OTHER_VARIABLES = new Set(['COCOON_CONFIG', 'COCOON_NETWORK_FILE'])
/** Of the working folder. */
export const DEFAULT_FILE = 'cocoon.json'

/** Throws `config.*`, naming key and origin. */
export function loadConfig(sources: Sources): Loaded {
  const origins = new Map<string, string>()
  const settings = allSettings()
  const file = findFile(sources)
  const merged = file === null ? {} : readConfigFile(file)
  if (file !== null) for (const path of leavesOf(merged, [])) origins.set(path, file)
  for (const setting of settings) {
    const text = sources.env[setting.env]
    if (text === undefined) continue
    put(merged, setting.path, parseText(setting, text, setting.env))
    origins.set(pathText(setting.path), setting.env)
  }
  refuseUnknownVariables(sources.env, settings)
  for (const setting of settings) {
    const given = sources.flags.get(pathText(setting.path))
    if (given === undefined) continue
    put(merged, setting.path, parseText(setting, given.value, given.flag))
    origins.set(pathText(setting.path), given.flag)
  }
  const parsed = configSchema.safeParse(merged)
  if (!parsed.success) throw configError(parsed.error.issues[0] as Issue, origins, settings)
  const config = parsed.data
  return { config: { ...config, home: expandHome(config.home) }, origins, file }
}

function findFile({ file, env }: Sources): string | null {
  const named = file ?? env['COCOON_CONFIG']
  if (named !== undefined) return resolve(named)
  return existsSync(DEFAULT_FILE) ? resolve(DEFAULT_FILE) : null
}

function readConfigFile(path: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CocoonError(
      'config.file',
      { message: `cannot read the configuration file ${path}: ${(cause as Error).message}` },
      { cause },
    )
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (cause) {
    throw new CocoonError('config.file', { message: `${path} is not JSON: ${(cause as Error).message}` }, { cause })
  }
  throw new CocoonError('config.file', { message: `${path} must hold a JSON object` })
}

function parseText(setting: Setting, text: string, origin: string): unknown {
  switch (setting.type) {
    case 'number':
      if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
      if (setting.values.split(' | ').includes(text)) return text
      throw new CocoonError('config.value', { message: `${origin} must be a number, not "${text}"` })
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true'
      throw new CocoonError('config.value', { message: `${origin} must be true or false, not "${text}"` })
    case 'list':
      return text === '' ? [] : text.split(',').map((part) => part.trim())
    case 'map':
      return parseMap(text, origin)
    case 'string':
      return text
  }
}

function parseMap(text: string, origin: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CocoonError('config.value', { message: `${origin} must be a JSON object` }, { cause })
  }
}

/** A misspelt variable would silently do nothing. */
function refuseUnknownVariables(env: Sources['env'], settings: readonly Setting[]): void {
  const known = new Set([...settings.map((s) => s.env), ...OTHER_VARIABLES])
  const unknown = Object.keys(env).find((name) => name.startsWith('COCOON_') && !known.has(name))
  if (unknown === undefined) return
  const near = nearest(unknown, [...known])
  throw new CocoonError('config.unknown-variable', {
    message: `the environment variable ${unknown} is no setting; did you mean ${near}?`,
  })
}

interface Issue {
  readonly code?: string | undefined
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
}

function configError(issue: Issue, origins: ReadonlyMap<string, string>, settings: readonly Setting[]): CocoonError {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys' && issue.keys !== undefined) {
    const key = [...path, issue.keys[0]].join('.')
    const near = nearest(
      key,
      settings.map((s) => pathText(s.path)),
    )
    return new CocoonError('config.unknown-key', {
      key,
      message: `${origins.get(key) ?? 'configuration'}: unknown key ${key}; did you mean ${near}?`,
    })
  }
  const key = path.join('.')
  const setting = settings.find((s) => pathText(s.path) === key)
  const allowed = setting === undefined || setting.values === '' ? '' : ` (${setting.values})`
  const origin = origins.get(key) ?? [...origins].find(([p]) => p.startsWith(`${key}.`))?.[1] ?? 'configuration'
  return new CocoonError('config.value', { key, message: `${origin}: ${key}: ${issue.message}${allowed}` })
}

/** The candidate with the smallest edit distance. */
export function nearest(word: string, candidates: readonly string[]): string {
  const scored = candidates.map((c) => [editDistance(word.toLowerCase(), c.toLowerCase()), c] as const)
  return scored.toSorted((a, b) => a[0] - b[0])[0]?.[1] ?? ''
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row.at(-1) as number
}

function put(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = into
  for (const name of path.slice(0, -1)) {
    const inner = at[name]
    if (typeof inner !== 'object' || inner === null) at[name] = {}
    at = at[name] as Record<string, unknown>
  }
  at[path.at(-1) as string] = value
}

function leavesOf(value: unknown, path: readonly string[]): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path.join('.')]
  return Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, [...path, name]))
}

const expandHome = (path: string): string =>
  path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : resolve(path)
