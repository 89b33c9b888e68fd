// The map of the codes: a dot for each row; point, brush, pick. By keys: arrows move a cross, Shift and arrows draw a
// rectangle from where it stood, Enter picks the nearest row, Escape lets go.

import { latest, post } from './api.js';
import { complain, fit, gallery, guarded, make, onTheme, table, theme } from './dom.js';

const PAD = 26;

/** The view, whose `pick(row)` is called with a chosen row. */
export function mapView(state, pick) {
  const canvas = make('canvas', { tabIndex: 0, role: 'img' });
  const tip = make('div', { className: 'tip', hidden: true });
  const x = make('figcaption'), y = make('figcaption', { className: 'y' });
  const legend = make('div', { className: 'legend' }), told = make('p', { role: 'status', className: 'faint' });
  const rows = make('div'), color = colors(state);
  const view = make('div', {},
    make('p', { className: 'faint' }, 'Point at a dot to see its row, click it to choose it, drag a rectangle to list '
      + 'rows. By keys: arrows, Shift and arrows, Enter, Escape.'),
    make('p', { className: 'row' }, make('label', {}, 'Colour by ', color), legend),
    make('figure', { className: 'map' }, canvas, x, y, tip), told, rows);
  const chosen = row => {
    told.textContent = `Row ${row} is chosen` + (state.made.views.length > 1 ? '; the other views show it.' : '.');
    pick(row);
  };
  const map = new Plot(canvas, tip, { pick: chosen, brush: list(told, rows) });
  const load = guarded(async () => {
    const data = await post('map', { color: color.value || null });
    [x.textContent, y.textContent] = data.axes;
    canvas.setAttribute('aria-label', `Map of ${data.x.length} of ${data.count} rows`);
    explain(legend, data);
    map.show(data);
  });
  color.addEventListener('change', load);
  load();
  view.map = map;
  return view;
}

function colors(state) {
  const names = state.data && state.data.columns ? state.data.columns.map(column => column.name) : [];
  const own = state.use === 'detect' ? [['score', 'the score']] : [];
  const choice = make('select', { id: 'color' }, make('option', { value: '' }, 'nothing'));
  for (const [value, text] of [...own, ...names.map(name => [name, name])]) choice.append(make('option', { value }, text));
  if (own.length) choice.value = 'score';
  return choice;
}

function explain(legend, data) {
  legend.replaceChildren(...(data.title ? [make('span', { className: 'faint' }, data.title)] : []));
  if (data.ends) {
    const scale = make('i', { className: 'scale' });
    scale.style.background = `linear-gradient(to right,${data.scale.join(',')})`;
    legend.append(make('span', {}, data.ends[0], scale, data.ends[1]));
  }
  for (const [group, name] of data.names) {
    const dot = make('i', { className: 'dot' });
    dot.style.background = data.colors[group];
    legend.append(make('span', {}, dot, name));
  }
}

/** What is shown of brushed rows. */
function list(told, place) {
  const ask = latest(rows => post('rows', { rows }), found => {
    told.textContent = found.count ? `${found.count.toLocaleString('en')} rows in the rectangle` : 'no row in there';
    if (found.pictures) place.replaceChildren(gallery(found.pictures));
    else if (found.rows.length) place.replaceChildren(table(['row', ...found.columns], found.rows, { caption: 'Rows in the rectangle' }));
    else place.replaceChildren();
  }, complain);
  return rows => {
    if (rows) ask(rows);
    else { told.textContent = ''; place.replaceChildren(); }
  };
}

class Plot {
  constructor(canvas, tip, { pick, brush }) {
    Object.assign(this, { canvas, tip, pick, brush, data: null, chosen: -1, here: null, box: null, drag: null, mark: null });
    this.ask = latest(row => post('row', { row }), found => this.fill(found), complain);
    new ResizeObserver(() => this.draw()).observe(canvas);
    onTheme(() => this.draw());
    canvas.addEventListener('pointerdown', event => this.down(event));
    canvas.addEventListener('pointermove', event => this.move(event));
    canvas.addEventListener('pointerup', event => this.up(event));
    canvas.addEventListener('pointerleave', () => { if (!this.drag) this.hover(-1); });
    canvas.addEventListener('keydown', event => this.key(event));
  }

  show(data) {
    this.data = data;
    const ends = values => {
      const low = Math.min(...values), high = Math.max(...values);
      return [low, (high - low) || 1];
    };
    [this.x0, this.dx] = ends(data.x);
    [this.y0, this.dy] = ends(data.y);
    this.draw();
  }

  px(value) { return PAD + (value - this.x0) / this.dx * (this.canvas.clientWidth - 2 * PAD); }

  py(value) { return this.canvas.clientHeight - PAD - (value - this.y0) / this.dy * (this.canvas.clientHeight - 2 * PAD); }

  draw() {
    if (!this.data || !this.canvas.clientWidth) return;
    const { pen } = fit(this.canvas), { x, y, shade, colors } = this.data, ink = theme();
    const radius = x.length > 1500 ? 2.4 : 3.4;
    const dot = (k, r) => { pen.moveTo(this.px(x[k]) + r, this.py(y[k])); pen.arc(this.px(x[k]), this.py(y[k]), r, 0, 7); };
    pen.globalAlpha = 0.75;
    colors.forEach((color, group) => {
      pen.fillStyle = shade ? color : ink.a;
      pen.beginPath();
      for (let k = 0; k < x.length; k++) if ((shade ? shade[k] : 0) === group) dot(k, radius);
      pen.fill();
    });
    pen.globalAlpha = 1;
    pen.strokeStyle = ink.ink;
    pen.lineWidth = 2;
    const at = this.data.rows.indexOf(this.chosen);
    if (at >= 0) { pen.beginPath(); dot(at, radius + 4); pen.stroke(); }
    if (this.mark) {
      const [a, b] = [this.px(this.mark[0]), this.py(this.mark[1])];
      pen.strokeStyle = ink.b;
      pen.beginPath();
      pen.moveTo(a - 8, b); pen.lineTo(a + 8, b); pen.moveTo(a, b - 8); pen.lineTo(a, b + 8);
      pen.stroke();
    }
    pen.lineWidth = 1;
    pen.strokeStyle = ink.ink;
    if (this.here) {
      pen.beginPath();
      pen.moveTo(this.here.x - 12, this.here.y); pen.lineTo(this.here.x + 12, this.here.y);
      pen.moveTo(this.here.x, this.here.y - 12); pen.lineTo(this.here.x, this.here.y + 12);
      pen.stroke();
    }
    if (this.box) {
      const [a, b, c, d] = this.box;
      pen.setLineDash([5, 3]);
      pen.strokeRect(Math.min(a, c), Math.min(b, d), Math.abs(c - a), Math.abs(d - b));
      pen.setLineDash([]);
    }
  }

  nearest(x, y, reach = 18) {
    let best = -1, least = reach * reach;
    for (let k = 0; k < this.data.x.length; k++) {
      const far = (this.px(this.data.x[k]) - x) ** 2 + (this.py(this.data.y[k]) - y) ** 2;
      if (far < least) { least = far; best = k; }
    }
    return best < 0 ? -1 : this.data.rows[best];
  }

  within() {
    const [a, b, c, d] = this.box;
    const [left, right, top, bottom] = [Math.min(a, c), Math.max(a, c), Math.min(b, d), Math.max(b, d)];
    const found = [];
    this.data.rows.forEach((row, k) => {
      const x = this.px(this.data.x[k]), y = this.py(this.data.y[k]);
      if (x >= left && x <= right && y >= top && y <= bottom) found.push(row);
    });
    return found;
  }

  hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.tip.hidden = row < 0;
    if (row >= 0) this.ask(row);
  }

  fill(found) {
    if (found.row !== this.hovered) return;
    const k = this.data.rows.indexOf(found.row), list = make('dl');
    for (const [name, value] of (found.given && found.given.record || []).slice(0, 12)) {
      list.append(make('dt', {}, name), make('dd', {}, value === null ? 'missing' : String(value)));
    }
    this.tip.replaceChildren(make('strong', {}, found.name || 'row ' + found.row), list);
    if (found.given && found.given.picture) this.tip.append(gallery([{ ...found.given, name: ' ' }]));
    const x = this.px(this.data.x[k]), y = this.py(this.data.y[k]), wide = this.canvas.clientWidth;
    this.tip.style.left = Math.max(4, x + 14 + this.tip.offsetWidth > wide ? x - this.tip.offsetWidth - 14 : x + 14) + 'px';
    this.tip.style.top = Math.max(4, Math.min(y + 10, this.canvas.clientHeight - this.tip.offsetHeight - 4)) + 'px';
  }

  choose(row) {
    if (row < 0) return;
    this.chosen = row;
    this.draw();
    this.pick(row);
  }

  /** Show where a code lies. */
  place(point) { this.mark = point; this.draw(); }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = { x: event.offsetX, y: event.offsetY };
  }

  move(event) {
    if (!this.data) return;
    const { offsetX: x, offsetY: y } = event;
    if (!this.drag) { this.hover(this.nearest(x, y)); return; }
    if (Math.hypot(x - this.drag.x, y - this.drag.y) < 4 && !this.box) return;
    this.hover(-1);
    this.box = [this.drag.x, this.drag.y, x, y];
    this.draw();
  }

  up(event) {
    const moved = this.drag && Math.hypot(event.offsetX - this.drag.x, event.offsetY - this.drag.y) >= 4;
    if (this.drag && moved && this.box) this.brush(this.within());
    else if (this.drag && this.data) { this.clear(); this.choose(this.nearest(event.offsetX, event.offsetY)); }
    this.drag = null;
  }

  clear() {
    this.box = null;
    this.brush(null);
    this.draw();
  }

  key(event) {
    const steps = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }, step = steps[event.key];
    if (!this.data || !(step || ['Enter', 'Escape'].includes(event.key))) return;
    event.preventDefault();
    const wide = this.canvas.clientWidth, high = this.canvas.clientHeight;
    this.here = this.here || { x: wide / 2, y: high / 2 };
    if (step) {
      const before = { ...this.here };
      this.here.x = Math.min(wide, Math.max(0, this.here.x + step[0]));
      this.here.y = Math.min(high, Math.max(0, this.here.y + step[1]));
      if (event.shiftKey) {
        this.box = [...(this.box ? this.box.slice(0, 2) : [before.x, before.y]), this.here.x, this.here.y];
        this.brush(this.within());
      } else {
        this.hover(this.nearest(this.here.x, this.here.y));
      }
    } else if (event.key === 'Enter') {
      this.choose(this.nearest(this.here.x, this.here.y, 60));
    } else {
      this.here = null;
      this.hover(-1);
      this.clear();
    }
    this.draw();
  }
}

