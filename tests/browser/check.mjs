// Opens reports in a browser, at three widths, in light and in dark, and says what axe-core and the checks below find.
// Usage: node check.mjs CHROMIUM FILE...   One JSON list of findings on standard output; empty when all is well.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import puppeteer from 'puppeteer-core'

const WIDTHS = [390, 768, 1280]
const SCHEMES = ['light', 'dark']
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const [executablePath, ...files] = process.argv.slice(2)
const findings = []
const say = (where, what) => findings.push(`${where}: ${what}`)

const browser = await puppeteer.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--allow-file-access-from-files'] })

async function opened (file, width, scheme, scripts = true) {
  const page = await browser.newPage()
  const where = `${file} ${width} ${scheme}`
  page.on('console', message => { if (['error', 'warn'].includes(message.type())) say(where, `console: ${message.text()}`) })
  page.on('pageerror', error => say(where, `error: ${error.message}`))
  page.on('request', request => { if (!/^(file|data):/.test(request.url())) say(where, `asks for ${request.url()}`) })
  // What the page's own policy forbids is a fault, even where the console says nothing of it.
  await page.evaluateOnNewDocument(() => document.addEventListener('securitypolicyviolation', event =>
    console.error(`against the policy: ${event.violatedDirective} ${event.blockedURI}`)))
  await page.setJavaScriptEnabled(scripts)
  await page.setViewport({ width, height: 900 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }])
  await page.goto(pathToFileURL(file).href)
  return page
}

// Everything wider than its box must be one that scrolls by keyboard too; the page itself never scrolls sideways.
function overflow () {
  const found = []
  const root = document.documentElement
  if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth - root.clientWidth} px too wide`)
  for (const box of document.querySelectorAll('*')) {
    const style = getComputedStyle(box)
    if (/auto|scroll/.test(style.overflowX) && box.scrollWidth > box.clientWidth + 1 && box.tabIndex !== 0) {
      found.push(`<${box.tagName.toLowerCase()} class="${box.getAttribute('class')}"> scrolls, but not by keyboard`)
    }
  }
  return found
}

async function keyboard (file) {
  const page = await opened(file, 1280, 'light')
  const active = () => page.evaluate(() => {
    const box = document.activeElement.getBoundingClientRect()
    return { name: document.activeElement.className, seen: box.left >= 0 && box.top >= 0 && box.width > 0, hash: location.hash }
  })
  await page.keyboard.press('Tab')
  const skip = await active()
  if (skip.name !== 'skip' || !skip.seen) say(file, `the first Tab reaches ${JSON.stringify(skip)} instead of a visible skip link`)
  await page.keyboard.press('Enter')
  if ((await active()).hash !== '#text') say(file, 'the skip link does not lead to the text')
  for (const [selector, what] of [['.contents li a', 'contents'], ['.scroll', 'scroll container'], ['.tools a', 'download']]) {
    const reached = await page.evaluate(selector => {
      const box = document.querySelector(selector)
      box.focus()
      return document.activeElement === box
    }, selector)
    if (!reached) say(file, `${what} cannot have the focus`)
  }
  const target = await page.evaluate(() => { const link = document.querySelectorAll('.contents li a')[3]; link.focus(); return link.hash })
  await page.keyboard.press('Enter')
  if ((await active()).hash !== target) say(file, `contents: ${target} is not reached`)
  const section = await page.evaluate(() => {
    const link = document.querySelector('section section .switch')
    link?.focus()
    return link && { id: link.closest('section').id, address: link.href }
  })
  if (section) {
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    const there = await page.evaluate(id => location.hash === `#${id}` && document.getElementById(id)?.getBoundingClientRect().top < 200, section.id)
    if (!there) say(file, `the switch to ${section.address} loses the section`)
  }
  await page.close()
}

// The long tables: three presses of a head give rising, falling and the first order again; contents mark the section in view.
async function lively (file) {
  const page = await opened(file, 1280, 'light')
  const orders = await page.evaluate(() => {
    const table = document.querySelector('table.sortable')
    // A worksheet has no long tables.
    if (!table) return [true, true, true]
    const head = [...table.tHead.rows].at(-1).cells[1]
    const values = () => [...table.tBodies[0].rows].map(row => Number(row.cells[1].dataset.value))
    const seen = [values()]
    for (let press = 0; press < 3; press++) {
      head.querySelector('button').click()
      seen.push([head.getAttribute('aria-sort'), values()])
    }
    const [first, up, down, again] = seen
    const rising = [...first].sort((a, b) => a - b)
    return [
      up[0] === 'ascending' && String(up[1]) === String(rising),
      down[0] === 'descending' && String(down[1]) === String(rising.reverse()),
      again[0] === null && String(again[1]) === String(first)
    ]
  })
  if (String(orders) !== 'true,true,true') say(file, `sorting: ${orders}`)
  const marked = await page.evaluate(async () => {
    if (!CSS.supports('selector(:target-current)')) return true
    const section = document.querySelector('section section')
    section.scrollIntoView()
    // The browser marks it when it next draws, which on a busy machine may be a while.
    for (let tries = 0; tries < 100; tries++) {
      if (document.querySelector('.contents a:target-current')?.hash === `#${section.id}`) return true
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    return false
  })
  if (!marked) say(file, 'contents do not mark the section in view')
  await page.close()
}

// A number shows its row on focus and hover and hides it again; a figure fills the window and goes back.
async function opening (file) {
  const page = await opened(file, 1280, 'light')
  const links = await page.$$('main a.row')
  if (links.length) {
    const popUp = () => page.evaluate(() => {
      const box = document.querySelector('.pop-up')
      const place = box.getBoundingClientRect()
      return { shown: box.checkVisibility(), inside: place.left >= 0 && place.right <= innerWidth, words: box.textContent }
    })
    const [link] = links
    const row = await link.evaluate(link => document.getElementById(link.hash.slice(1)).cells[0].textContent)
    await link.focus()
    const focused = await popUp()
    if (!focused.shown || !focused.inside || !focused.words.includes(row)) say(file, `focus on a number: ${JSON.stringify(focused)}`)
    await page.keyboard.press('Escape')
    if ((await popUp()).shown) say(file, 'Escape leaves the row shown')
    await links[1].hover()
    if (!(await popUp()).shown) say(file, 'a number shows no row when pointed at')
    await page.mouse.move(0, 0)
    if ((await popUp()).shown) say(file, 'a row stays when nothing points at its number')
    await Promise.all([page.waitForFunction(hash => location.hash === hash, {}, await link.evaluate(link => link.hash)), link.evaluate(link => link.click())])
  }
  const figure = () => page.evaluate(() => {
    const box = document.querySelector('.figure .scroll').getBoundingClientRect()
    return box.top === 0 && box.left === 0 && box.height >= innerHeight - 1
  })
  await page.evaluate(() => document.querySelector('.figure .tools a').click())
  if (!await figure()) say(file, 'a figure does not fill the window')
  await page.keyboard.press('Escape')
  if (await figure()) say(file, 'a figure stays in the window')
  await page.close()
}

// What a reader without scripts, or on paper, gets: all text of the page as it stands in the file.
async function readable (file) {
  const text = page => page.evaluate(() => [...document.querySelectorAll('main p, main li, main td, main th, main h2, main h3')]
    .filter(box => box.checkVisibility() && box.getBoundingClientRect().height > 0).length)
  const counts = []
  for (const scripts of [true, false]) {
    const page = await opened(file, 1280, 'light', scripts)
    counts.push(await text(page))
    await page.close()
  }
  if (counts[0] !== counts[1] || counts[0] < 20) say(file, `text blocks with and without scripts: ${counts}`)
  const page = await opened(file, 794, 'dark')
  await page.emulateMediaType('print')
  const paper = await page.evaluate(() => ({
    hidden: ['.contents', '.languages', '.switch', '.skip'].filter(each => document.querySelector(each)?.checkVisibility()),
    background: getComputedStyle(document.documentElement).backgroundColor
  }))
  if (paper.hidden.length || paper.background !== 'rgb(255, 255, 255)') say(file, `on paper: ${JSON.stringify(paper)}`)
  await page.close()
}

for (const file of files) {
  for (const scheme of SCHEMES) {
    for (const width of WIDTHS) {
      const page = await opened(file, width, scheme)
      const where = `${basename(file)} (${file}) ${width} ${scheme}`
      for (const each of await page.evaluate(overflow)) say(where, each)
      await page.evaluate(AXE)
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
      for (const { id, nodes } of violations) {
        say(where, `axe ${id} (${nodes.length}): ${nodes[0].html.slice(0, 160)} ${nodes[0].failureSummary.replaceAll('\n', ' ').slice(0, 240)}`)
      }
      await page.close()
    }
  }
  await keyboard(file)
  await lively(file)
  await opening(file)
  await readable(file)
}
await browser.close()
console.log(JSON.stringify(findings, null, 1))
