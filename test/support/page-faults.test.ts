/** The judge of pages is judged: each fault that it knows is found in a page that has it, and a good page has none. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBrowser } from './chromium.ts'
import { faultsOf, reachedByTab } from './page-faults.ts'

let browser: Browser
let page: Page
beforeAll(async () => {
  browser = await openBrowser()
  page = await browser.newPage({ viewport: { width: 600, height: 400 } })
})
afterAll(async () => browser.close())

const show = (main: string): Promise<void> =>
  page.setContent(
    `<!doctype html><html lang="en"><title>t</title><style>button, input { min-height: 24px; min-width: 24px }</style><body><main><h1>One</h1>${main}</main></body></html>`,
  )

test('a page as it should be has no fault', async () => {
  await show(`<h2>Two</h2><p>Words</p><button>Press</button><label><span>Name</span><input></label>
    <table><caption>All</caption><tr><th scope="col">A</th></tr></table><svg role="img" aria-label="A line"></svg>`)
  expect(await faultsOf(page)).toEqual([])
})

test.each([
  ['a button without words', '<button></button>', 'has no name'],
  ['a control without a label', '<input>', 'has no name'],
  ['a picture without words', '<svg width="9" height="9"></svg>', 'is neither an image with a name nor hidden'],
  ['a second first heading', '<h1>Two</h1>', '2 headings of the first level'],
  ['a heading that skips a level', '<h3>Three</h3>', 'skips from level 1 to 3'],
  ['another order of Tab', '<p tabindex="2">Words</p>', 'changes the order of Tab'],
  ['a table without a caption', '<table><tr><th scope="col">A</th></tr></table>', 'has no caption'],
  ['a head without scope', '<table><caption>All</caption><tr><th>A</th></tr></table>', 'has no scope'],
  [
    'a box that only a mouse can scroll',
    '<div class="scroll" style="width:50px;overflow:auto"><p style="width:900px">Words</p></div>',
    'scrolls, but not by keyboard',
  ],
  ['an id given twice', '<p id="a">A</p><p id="a">B</p>', 'the id a is given twice'],
  ['a description that is not there', '<p aria-describedby="none">A</p>', 'aria-describedby names nothing'],
  ['grey on white', '<p style="color:#999">Words</p>', 'has a contrast of 2.85'],
  [
    'a control that one cannot see',
    '<button style="border:1px solid #eee">Press</button>',
    'has an edge with a contrast',
  ],
  ['a page wider than the screen', '<p style="width:900px">Words</p>', 'px wide on a screen of 600'],
  ['a button too small for a thumb', '<button style="min-height:0;height:12px">Press</button>', 'by 12 px'],
])('%s is found', async (_, main, fault) => {
  await show(main)
  expect((await faultsOf(page)).join('\n')).toContain(fault)
})

test('what is hidden has no faults', async () => {
  await show('<div hidden><button></button><p style="color:#999">Words</p></div>')
  expect(await faultsOf(page)).toEqual([])
})

test('a focus that one cannot see is told', async () => {
  await show('<button>Seen</button><button style="outline:none">Unseen</button>')
  expect(await reachedByTab(page, 2)).toEqual([
    { name: 'Seen', isSeen: true },
    { name: 'Unseen', isSeen: false },
  ])
})
