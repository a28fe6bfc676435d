/** The console of a client node: who opened it, which view is shown, how the node is. */
import type { ComponentChildren, ComponentType } from 'preact'
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { KeyGate } from './key-gate.tsx'
import { createNodeApi } from './node/node-api.ts'
import { forgetKeys, keepAdminKey, NodeContext, takeAdminKey } from './node/session.ts'
import { NodeState } from './node-state.tsx'
import { Opened } from './opened.tsx'
import { ThemeChoice } from './theme-choice.tsx'
import { Batches } from './views/batches/batches.tsx'
import { Budgets } from './views/budgets.tsx'
import { Keys } from './views/keys.tsx'
import { Models } from './views/models.tsx'
import { Playground } from './views/playground/playground.tsx'
import { Projects } from './views/projects.tsx'
import { Requests } from './views/requests/requests.tsx'
import { Usage } from './views/usage/usage.tsx'

/** @param rest what stands behind the view's name in the address: `#/requests/ID` */
export interface ViewProps {
  readonly rest: string
}

/** The playground is no entry: it stays while others are shown, and so does what runs in it. */
const VIEWS: Readonly<Record<string, { readonly title: string; readonly View: ComponentType<ViewProps> | null }>> = {
  playground: { title: 'Playground', View: null },
  models: { title: 'Models', View: Models },
  keys: { title: 'Keys', View: Keys },
  budgets: { title: 'Budgets', View: Budgets },
  projects: { title: 'Projects', View: Projects },
  usage: { title: 'Usage', View: Usage },
  requests: { title: 'Requests', View: Requests },
  batches: { title: 'Batches', View: Batches },
}
const FIRST = 'playground'

export function App() {
  const [key, setKey] = useState(takeAdminKey)
  const [wasRefused, setRefused] = useState(false)
  const [{ name, rest }, setPlace] = useState(placeOf)
  useEffect(() => {
    const moved = (): void => {
      setKey(takeAdminKey())
      setPlace(placeOf())
    }
    addEventListener('hashchange', moved)
    return () => removeEventListener('hashchange', moved)
  }, [])
  const keyRefused = useCallback(() => {
    forgetKeys()
    setRefused(true)
    setKey(null)
  }, [])
  function lock(): void {
    forgetKeys()
    setRefused(false)
    setKey(null)
  }
  const node = useMemo(() => (key === null ? null : createNodeApi(key, keyRefused)), [key, keyRefused])

  if (node === null)
    return (
      <Frame current="" state={null} title="Who is there?">
        <KeyGate
          wasRefused={wasRefused}
          open={(given) => {
            keepAdminKey(given)
            setRefused(false)
            setKey(given)
          }}
        />
      </Frame>
    )
  const { title, View } = VIEWS[name] as (typeof VIEWS)[string]
  return (
    <NodeContext.Provider value={node}>
      <Frame
        current={name}
        state={
          <>
            <NodeState />
            <button type="button" class="small" onClick={lock}>
              Lock
            </button>
          </>
        }
        title={title}
      >
        <Opened>
          {View !== null && <View key={name} rest={rest} />}
          <div hidden={View !== null}>
            <Playground model={name === FIRST ? rest : ''} isShown={View === null} />
          </div>
        </Opened>
      </Frame>
    </NodeContext.Provider>
  )
}

function placeOf(): { readonly name: string; readonly rest: string } {
  const [, name = '', rest = ''] = /^#\/([^/]*)\/?(.*)$/.exec(location.hash) ?? []
  if (!(name in VIEWS)) return { name: FIRST, rest: '' }
  try {
    return { name, rest: decodeURIComponent(rest) }
  } catch {
    // Somebody wrote the address by hand.
    return { name, rest: '' }
  }
}

interface FrameProps {
  readonly current: string
  readonly title: string
  readonly state: ComponentChildren
  readonly children: ComponentChildren
}

function Frame({ current, title, state, children }: FrameProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  const shown = useRef(title)
  useLayoutEffect(() => {
    document.title = `Cocoon · ${title}`
    // Whoever hears the page is told that it is another one now; the first one speaks for itself.
    if (shown.current !== title) heading.current?.focus()
    shown.current = title
    // On a narrow screen the views are a line that scrolls.
    document.querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [title])
  return (
    <>
      <a class="skip" href="#content" onClick={(event) => skipTo(event, heading.current)}>
        Skip to the content
      </a>
      <header>
        <p class="name">Cocoon console</p>
        {state}
        <ThemeChoice />
      </header>
      {current !== '' && (
        <nav aria-label="Views">
          <ul>
            {Object.entries(VIEWS).map(([name, view]) => (
              <li key={name}>
                <a href={`#/${name}`} {...(name === current ? { 'aria-current': 'page' as const } : {})}>
                  {view.title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      )}
      <main id="content">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {children}
      </main>
    </>
  )
}

/** By hand: the address is what says which view is shown. */
function skipTo(event: Event, target: HTMLElement | null): void {
  event.preventDefault()
  target?.focus()
}
