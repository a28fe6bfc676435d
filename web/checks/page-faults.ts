/**
 * What is wrong with the page for people who use a keyboard, a screen reader, a small screen, or weak eyes; the rules are those
 * of WCAG 2.2 that a program can judge. Runs inside the page that is tested, so it imports nothing.
 */
export function pageFaults(): string[] {
  const faults: string[] = []
  const complain = (rule: string, element: Element): void => {
    const html = element.cloneNode(false) as Element
    faults.push(`${rule}: ${html.outerHTML.slice(0, 120)} “${textOf(element).slice(0, 40)}”`)
  }
  const all = (selector: string): HTMLElement[] =>
    [...document.querySelectorAll<HTMLElement>(selector)].filter((element) => isVisible(element))

  if (document.documentElement.lang === '') faults.push('the page has no language')
  if (document.title === '') faults.push('the page has no title')
  if (all('main').length !== 1) faults.push('the page must have one main part')
  checkNames()
  checkStructure()
  checkReferences()
  checkContrast()
  checkSizes()
  return faults

  function isVisible(element: Element): boolean {
    return element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
  }

  function textOf(element: Element): string {
    return (element.textContent ?? '').replaceAll(/\s+/g, ' ').trim()
  }

  function nameOf(element: Element): string {
    const labelled = (element.getAttribute('aria-labelledby') ?? '').split(' ').flatMap((id) => {
      const target = document.getElementById(id)
      return target === null ? [] : [textOf(target)]
    })
    const labels = 'labels' in element ? [...((element as HTMLInputElement).labels ?? [])] : []
    const label = labels.map((one) => textOf(one.querySelector('span') ?? one))
    const own = element.matches('button, a, summary, legend') ? textOf(element) : ''
    const title = element.querySelector(':scope > title')?.textContent ?? element.getAttribute('title') ?? ''
    return (
      [labelled.join(' '), element.getAttribute('aria-label') ?? '', label.join(' '), own, title]
        .map((name) => name.trim())
        .find((name) => name !== '') ?? ''
    )
  }

  function checkNames(): void {
    const named =
      'button, a, input, select, textarea, summary, meter, progress, [role=img], [role=region], [role=group], nav, article[role]'
    for (const element of all(named)) if (nameOf(element) === '') complain('has no name', element)
    for (const image of all('svg')) {
      const isHidden = image.closest('[aria-hidden=true]') !== null
      if (!isHidden && image.getAttribute('role') !== 'img')
        complain('is neither an image with a name nor hidden', image)
    }
  }

  function checkStructure(): void {
    if (all('h1').length !== 1) faults.push(`the page has ${all('h1').length} headings of the first level`)
    let before = 0
    for (const heading of all('h1, h2, h3, h4, h5, h6')) {
      const level = Number(heading.tagName.slice(1))
      if (level > before + 1) complain(`skips from level ${before} to ${level}`, heading)
      before = level
    }
    for (const element of all('[tabindex]')) if (element.tabIndex > 0) complain('changes the order of Tab', element)
    for (const table of all('table')) {
      if (table.querySelector('caption') === null) complain('has no caption', table)
      for (const head of table.querySelectorAll('th')) if (!head.hasAttribute('scope')) complain('has no scope', head)
    }
    // What scrolls must be reached without a mouse.
    for (const element of all('.scroll, pre, nav')) {
      const scrolls = element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight
      const hasFocus = element.tabIndex >= 0 || element.querySelector('a, button') !== null
      if (scrolls && !hasFocus) complain('scrolls, but not by keyboard', element)
    }
  }

  function checkReferences(): void {
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
    for (const id of new Set(ids))
      if (ids.filter((one) => one === id).length > 1) faults.push(`the id ${id} is given twice`)
    for (const name of ['aria-describedby', 'aria-labelledby', 'aria-controls', 'for'])
      for (const element of document.querySelectorAll(`[${name}]`))
        for (const id of (element.getAttribute(name) ?? '').split(' '))
          if (document.getElementById(id) === null) complain(`${name} names nothing`, element)
  }

  function checkContrast(): void {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const judged = new Set<Element>()
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement
      if (element === null || (node.textContent ?? '').trim() === '' || judged.has(element)) continue
      judged.add(element)
      if (!isVisible(element) || element.matches('option, title, .unseen, .skip, :disabled, :disabled *')) continue
      const style = getComputedStyle(element)
      const isSvg = element instanceof SVGElement
      const text = parseColor(isSvg ? style.fill : style.color)
      const ratio = contrast(text, backgroundOf(element))
      const size = Number.parseFloat(style.fontSize)
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
      if (ratio < (isLarge ? 3 : 4.5)) complain(`has a contrast of ${ratio.toFixed(2)}`, element)
    }
    for (const control of all('input, select, textarea, button')) {
      const { borderTopColor, borderTopWidth } = getComputedStyle(control)
      if (control.matches(':disabled, .main') || borderTopWidth === '0px') continue
      const ratio = contrast(parseColor(borderTopColor), backgroundOf(control.parentElement ?? document.body))
      if (ratio < 3) complain(`has an edge with a contrast of ${ratio.toFixed(2)}`, control)
    }
  }

  function parseColor(text: string): readonly number[] {
    const numbers = (/\(([^)]*)\)/.exec(text)?.[1] ?? '0, 0, 0').split(/[\s,/]+/).map(Number)
    return numbers.length < 4 ? [...numbers, 1] : numbers
  }

  /** The nearest colour that is not transparent: nothing here is half transparent. */
  function backgroundOf(from: Element): readonly number[] {
    for (let element: Element | null = from; element !== null; element = element.parentElement) {
      const color = parseColor(getComputedStyle(element).backgroundColor)
      if (color[3] === 1) return color
    }
    return [255, 255, 255, 1]
  }

  function contrast(a: readonly number[], b: readonly number[]): number {
    const [light = 0, dark = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x)
    return (light + 0.05) / (dark + 0.05)
  }

  function luminance(color: readonly number[]): number {
    const [red = 0, green = 0, blue = 0] = color.slice(0, 3).map((byte) => {
      const part = byte / 255
      return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }

  function checkSizes(): void {
    const { scrollWidth, clientWidth } = document.documentElement
    if (scrollWidth > clientWidth) faults.push(`the page is ${scrollWidth} px wide on a screen of ${clientWidth}`)
    for (const control of all('button, select, input, textarea, summary, nav a')) {
      const { width, height } = control.getBoundingClientRect()
      // A box to tick has its label to press.
      if (!control.matches('[type=checkbox]') && (width < 24 || height < 24))
        complain(`is ${Math.round(width)} by ${Math.round(height)} px`, control)
    }
  }
}
