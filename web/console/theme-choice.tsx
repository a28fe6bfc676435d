/** Light, dark, or as the machine is set; kept by the browser. */
import { useLayoutEffect, useState } from 'preact/hooks'

const KEPT = 'cocoon-theme'
const THEMES = [
  ['', 'As the machine'],
  ['light', 'Light'],
  ['dark', 'Dark'],
] as const

export function ThemeChoice() {
  const [theme, setTheme] = useState(() => localStorage.getItem(KEPT) ?? '')
  useLayoutEffect(() => {
    if (theme === '') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = theme
  }, [theme])
  function choose(value: string): void {
    setTheme(value)
    localStorage.setItem(KEPT, value)
  }
  return (
    <label class="theme">
      <span>Theme</span>
      <select value={theme} onChange={(event) => choose(event.currentTarget.value)}>
        {THEMES.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}
