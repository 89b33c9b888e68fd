'use strict';
// A chart of points whose rows are known: point at one, or step with the arrow keys, to read its row; choose a column
// to colour by. All that comes from data arrives as JSON and reaches the page as text, never as markup.
for (const figure of document.querySelectorAll('figure.map')) explore(figure);

function explore(figure) {
  const data = JSON.parse(figure.querySelector('script').textContent);
  const chart = figure.querySelector('svg'), dots = [...chart.querySelectorAll('circle')];
  const xs = dots.map(dot => +dot.getAttribute('cx')), ys = dots.map(dot => +dot.getAttribute('cy'));
  const steps = dots.map((_, i) => i).sort((a, b) => xs[a] - xs[b] || ys[a] - ys[b]);
  const panel = figure.querySelector('.row'), legend = figure.querySelector('.legend');
  const reach = 400;  // squared, in units of the chart
  let marked = -1;

  function make(tag, text, parent) {
    const made = document.createElement(tag);
    made.textContent = text;
    parent.append(made);
    return made;
  }
  function mark(i) {
    if (i === marked) return;
    if (marked >= 0) { dots[marked].setAttribute('r', 2); dots[marked].classList.remove('marked'); }
    marked = i;
    panel.replaceChildren();
    if (i < 0) return;
    dots[i].setAttribute('r', 5);
    dots[i].classList.add('marked');
    make('b', 'row ' + data.rows[i], panel);
    const table = make('table', '', panel);
    data.columns.forEach(column => {
      const line = make('tr', '', table), name = make('th', column.name, line), value = column.cells[i];
      name.scope = 'row';
      make('td', value === null ? 'missing' : value, line);
    });
    if (data.more) make('div', data.more, panel);
  }
  function nearest(event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
    let best = -1, least = reach;
    for (let i = 0; i < dots.length; i++) {
      const away = (xs[i] - at.x) ** 2 + (ys[i] - at.y) ** 2;
      if (away < least) { least = away; best = i; }
    }
    return best;
  }
  chart.addEventListener('pointermove', event => mark(nearest(event)));
  chart.addEventListener('keydown', event => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], last = steps.length - 1;
    const at = steps.indexOf(marked);
    if (by) mark(steps[Math.min(Math.max(at < 0 ? 0 : at + by, 0), last)]);
    else if (event.key === 'Home') mark(steps[0]);
    else if (event.key === 'End') mark(steps[last]);
    else if (event.key === 'Escape') mark(-1);
    else return;
    event.preventDefault();
  });

  function entry(color, text) {
    const line = make('span', '', legend);
    make('i', '', line).style.background = color;
    make('span', text, line);
  }
  function shade(part) {  // part of [0, 1] → a colour of the scale
    const at = part * (data.scale.length - 1), low = Math.min(Math.floor(at), data.scale.length - 2);
    const [a, b] = [data.scale[low], data.scale[low + 1]].map(c => [1, 3, 5].map(i => parseInt(c.slice(i, i + 2), 16)));
    return 'rgb(' + a.map((value, i) => Math.round(value + (b[i] - value) * (at - low))).join(',') + ')';
  }
  function numbers(column) {
    const known = column.cells.filter(value => value !== null).map(Number);
    const low = Math.min(...known), high = Math.max(...known), span = high - low || 1;
    entry(data.scale[0], low.toPrecision(4) * 1);
    entry(data.scale[data.scale.length - 1], high.toPrecision(4) * 1);
    return value => shade((value - low) / span);
  }
  function categories(column) {
    const counts = new Map();
    for (const value of column.cells) if (value !== null) counts.set(value, (counts.get(value) || 0) + 1);
    const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, data.palette.length);
    const colors = new Map(most.map(([value], i) => [value, data.palette[i]]));
    for (const [value, count] of most) entry(colors.get(value), value + ' (' + count.toLocaleString('en') + ')');
    if (counts.size > most.length) entry(data.none, 'all others');
    return value => colors.get(value) || data.none;
  }
  function paint(number) {
    const column = data.columns[number];
    legend.replaceChildren();
    const color = !column ? null : column.number ? numbers(column) : categories(column);
    if (column && column.cells.includes(null)) entry(data.none, 'missing');
    dots.forEach((dot, i) => {
      const value = column ? column.cells[i] : null;
      dot.style.fill = !column ? '' : value === null ? data.none : color(value);
    });
  }
  const select = figure.querySelector('select');
  make('option', 'nothing', select).value = -1;
  data.columns.forEach((column, number) => { make('option', column.name, select).value = number; });
  select.addEventListener('change', () => paint(select.value));
  figure.classList.add('ready');
}
