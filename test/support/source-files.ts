/** The repository's own files, and what a TypeScript source imports and exports: for tests and checks about the code. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/** What git ignores, and git itself. */
const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', '.git', '.cocoon'])

/** Paths of files below `folder`, relative to the repository, with `/`, sorted. A missing folder has none. */
export function filesBelow(folder: string): string[] {
  const top = join(ROOT, folder)
  if (!existsSync(top)) return []
  const found: string[] = []
  for (const entry of readdirSync(top, { withFileTypes: true })) {
    if (NOT_OURS.has(entry.name) || entry.name.endsWith('.log')) continue
    const path = join(folder, entry.name).replaceAll('\\', '/')
    if (entry.isDirectory()) found.push(...filesBelow(path))
    else if (entry.isFile()) found.push(path)
  }
  return found.toSorted()
}

export const readText = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

export interface Import {
  /** 1-based. */
  readonly line: number
  /** As written between the quotes. */
  readonly from: string
  /** Repository path of the imported file; null for packages and `node:` modules. */
  readonly file: string | null
  /** Names taken, as the other module calls them; `*` where all are. */
  readonly names: readonly string[]
  /** `export … from`. */
  readonly isReExport: boolean
  /** `import './x.ts'`: nothing is taken. */
  readonly isSideEffect: boolean
}

export interface Source {
  readonly path: string
  /** Comments blanked, every line where it was. */
  readonly text: string
  /** The same with the contents of strings blanked. */
  readonly code: string
  readonly imports: readonly Import[]
  /** Names declared and exported here, without re-exports. */
  readonly exports: readonly { readonly name: string; readonly line: number }[]
}

export const readSource = (path: string): Source => parseSource(path, readText(path))

/** Relies on the formatter: statements begin at the start of a line, strings have single quotes. */
export function parseSource(path: string, whole: string): Source {
  const [text, code] = [blank(whole, false), blank(whole, true)]
  return { path, text, code, imports: importsOf(text, code, path), exports: exportsOf(code) }
}

export const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length

/** Comments, strings and regular expressions; the last only where a value may begin, since `/` also divides. */
const TOKENS =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=(?:[(,=:[!&|?{};]|=>|return)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\//g

function blank(text: string, strings: boolean): string {
  return text.replaceAll(TOKENS, (token) => {
    const isComment = token.startsWith('//') || token.startsWith('/*')
    if (!isComment && !strings) return token
    return token.replaceAll(/[^\n]/g, (c, at) => (!isComment && (at === 0 || at === token.length - 1) ? c : ' '))
  })
}

const NAMED = String.raw`(?:type\s+)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?|\w+(?:\s*,\s*(?:\{[^}]*\}|\*\s+as\s+\w+))?)`
const STATEMENT = new RegExp(String.raw`^(import|export)\s+(${NAMED})\s+from\s+'([^']+)'`, 'gm')
const SIDE_EFFECT = /^import\s+'([^']+)'/gm
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)/g
/** A worker's file is named, not imported. */
const BY_URL = /new URL\(\s*'(\.[^']+)',\s*import\.meta\.url/g

function importsOf(text: string, code: string, path: string): Import[] {
  const found: Import[] = []
  const add = (at: number, from: string, rest: Partial<Import>): void => {
    // What stands inside a string is an example, not an import.
    if (!/^(?:import|export|new URL|\bimport)/.test(code.slice(at, at + 8))) return
    const file = from.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(path), from)).replaceAll('\\', '/') : null
    found.push({ line: lineAt(text, at), from, file, names: ['*'], isReExport: false, isSideEffect: false, ...rest })
  }
  for (const m of text.matchAll(STATEMENT))
    add(m.index, m[3] as string, { names: namesIn(m[2] as string), isReExport: m[1] === 'export' })
  for (const m of text.matchAll(SIDE_EFFECT)) add(m.index, m[1] as string, { names: [], isSideEffect: true })
  for (const m of text.matchAll(DYNAMIC)) add(m.index, m[1] as string, {})
  for (const m of text.matchAll(BY_URL)) add(m.index, m[1] as string, {})
  return found
}

function namesIn(clause: string): string[] {
  const braces = /\{([^}]*)\}/.exec(clause)
  if (braces === null) return [clause.includes('*') ? '*' : 'default']
  const words = (braces[1] as string).split(',').map((w) => w.trim().replace(/^type\s+/, ''))
  return words.filter((w) => w !== '').map((w) => w.split(/\s+as\s+/)[0] as string)
}

const DECLARED =
  /^export\s+(?:declare\s+)?(?:async\s+)?(?:abstract\s+)?(?:const|let|function\*?|class|type|interface)\s+(\w+)/gm
const LISTED = /^export\s+(?:type\s+)?\{([^}]*)\}(?!\s*from)/gm

function exportsOf(code: string): { name: string; line: number }[] {
  const found = [...code.matchAll(DECLARED)].map((m) => ({ name: m[1] as string, line: lineAt(code, m.index) }))
  for (const m of code.matchAll(LISTED))
    for (const name of namesIn(`{${m[1] as string}}`)) found.push({ name, line: lineAt(code, m.index) })
  return found
}
