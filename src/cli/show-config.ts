/** `cocoon config show`: every setting, its value and where it came from. */
import { Secret } from '../util/index.ts'
import type { Loaded } from './config.ts'
import { allSettings, pathText } from './settings.ts'
import { table, type Terminal } from './terminal.ts'

export function printConfig(loaded: Loaded, t: Terminal): void {
  const rows = allSettings().map((s) => {
    const value = s.path.reduce<unknown>(
      (at, name) => (at as Record<string, unknown> | undefined)?.[name],
      loaded.config,
    )
    const text =
      value === undefined
        ? ''
        : value instanceof Secret
          ? String(value)
          : typeof value === 'object'
            ? JSON.stringify(value)
            : String(value)
    return [pathText(s.path), text, loaded.origins.get(pathText(s.path)) ?? 'default']
  })
  t.line(table(t, [['key', 'value', 'from'], ...rows]))
}
