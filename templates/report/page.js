// Beside a number of the text, the row of the table that it stands in: on hover and focus; without this the link leads there.
const shown = document.createElement('div')
shown.className = 'pop-up'
shown.id = 'pop-up'
shown.setAttribute('role', 'tooltip')
shown.hidden = true
document.body.append(shown)

function cells (link) {
  const row = document.getElementById(link.hash.slice(1))
  const table = row?.closest('table')
  if (!table) return null
  const heads = [...table.tHead.rows].at(-1).cells
  const number = document.createElement('p')
  number.append(row.closest('.table').querySelector('.number').textContent)
  const list = document.createElement('dl')
  for (const [column, cell] of [...row.cells].entries()) {
    const name = document.createElement('dt')
    const value = document.createElement('dd')
    name.append(...[...(heads[column].querySelector('button') ?? heads[column]).childNodes].map(node => node.cloneNode(true)))
    value.append(...[...cell.childNodes].map(node => node.cloneNode(true)))
    list.append(name, value)
  }
  return [number, list]
}

function show (link) {
  const found = cells(link)
  if (!found) return
  shown.replaceChildren(...found)
  shown.hidden = false
  link.setAttribute('aria-describedby', shown.id)
  const [at, box] = [link.getBoundingClientRect(), shown.getBoundingClientRect()]
  const room = document.documentElement.clientWidth - box.width - 8
  shown.style.left = `${scrollX + Math.max(8, Math.min(at.left, room))}px`
  // Below the line, or above it where there is no room below.
  shown.style.top = `${scrollY + (at.bottom + box.height + 8 > innerHeight && at.top > box.height ? at.top - box.height - 6 : at.bottom + 6)}px`
}

function hide () {
  shown.hidden = true
  document.querySelector('[aria-describedby=pop-up]')?.removeAttribute('aria-describedby')
}

for (const link of document.querySelectorAll('a.row')) {
  link.addEventListener('pointerenter', () => show(link))
  link.addEventListener('focus', () => show(link))
  link.addEventListener('pointerleave', hide)
  link.addEventListener('blur', hide)
  link.addEventListener('click', hide)
}

document.addEventListener('keydown', event => {
  if (event.key !== 'Escape') return
  hide()
  // A figure that fills the window goes back to its place.
  const close = document.querySelector('.figure .scroll:target .close')
  if (close) close.click()
})
