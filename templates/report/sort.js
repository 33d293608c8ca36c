// Sorts the long tables by a column. Without it every table is whole, in its own order.
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0]
  const original = [...body.rows]
  const heads = [...table.tHead.rows].at(-1).cells
  for (const [column, head] of [...heads].entries()) {
    const button = document.createElement('button')
    button.append(...head.childNodes)
    head.append(button)
    button.addEventListener('click', () => {
      const next = { ascending: 'descending', descending: null }[head.getAttribute('aria-sort')]
      const direction = next === undefined ? 'ascending' : next
      for (const each of heads) each.removeAttribute('aria-sort')
      const value = row => row.cells[column].dataset.value
      const compare = (a, b) => {
        // What is missing stays at the end.
        if (value(a) === undefined || value(b) === undefined) return (value(a) === undefined) - (value(b) === undefined)
        const difference = value(a) - value(b)
        const order = Number.isNaN(difference) ? value(a).localeCompare(value(b), document.documentElement.lang) : difference
        return direction === 'ascending' ? order : -order
      }
      if (direction) head.setAttribute('aria-sort', direction)
      body.append(...(direction ? [...original].sort(compare) : original))
    })
  }
}
