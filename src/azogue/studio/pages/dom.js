// Elements from values. Everything that comes from data is text, never markup.

export const at = id => document.getElementById(id);

/** An element with properties and children; texts become text. */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('aria-') || name === 'role' || name === 'scope' || name === 'for') made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

/** Show a complaint, or none. */
export function complain(fault) {
  const place = at('fault');
  place.hidden = !fault;
  place.textContent = fault ? (fault.message || String(fault)) : '';
  if (fault) place.scrollIntoView({ block: 'nearest' });
}

/** A handler whose complaints are shown. */
export function guarded(action) {
  return async function (...given) {
    complain(null);
    try { return await action.apply(this, given); } catch (fault) { complain(fault); }
    return undefined;
  };
}

export const isNumber = text => text !== null && text !== '' && !Number.isNaN(Number(text));

/** A cell: missing is said, numbers stand to the right. */
export function cell(value, tag = 'td') {
  const made = make(tag);
  if (value === null || value === undefined) {
    made.className = 'missing';
    made.textContent = 'missing';
  } else {
    made.textContent = String(value);
    if (isNumber(value)) made.className = 'n';
  }
  return made;
}

/** A table; `pick(row)` makes rows buttons by their first cell. */
export function table(columns, rows, { caption = '', pick = null } = {}) {
  const numeric = columns.map((_, k) => rows.some(row => isNumber(row[k])));
  const head = make('tr', {}, ...columns.map((name, k) =>
    make('th', { scope: 'col', className: numeric[k] ? 'n' : '', title: String(name) }, String(name))));
  const body = make('tbody');
  for (const row of rows) {
    const line = make('tr', {}, ...row.map(value => cell(value)));
    if (pick) {
      const button = make('button', { type: 'button', className: 'link' }, String(row[0]));
      button.addEventListener('click', () => pick(row, line));
      line.firstChild.replaceChildren(button);
    }
    body.append(line);
  }
  const made = make('table', {}, make('caption', { className: caption ? '' : 'away' }, caption || 'Rows'),
    make('thead', {}, head), body);
  return make('div', { className: 'scroll', tabIndex: 0, role: 'region', 'aria-label': caption || 'Rows' }, made);
}

/** A picture on a canvas. */
export function picture(told, label, size = 96) {
  const made = make('canvas', { width: told.width, height: told.height, className: 'picture', role: 'img',
    'aria-label': label });
  const scale = Math.max(1, Math.floor(size / Math.max(told.width, told.height)));
  made.style.width = Math.min(told.width * scale, 480) + 'px';
  const bytes = Uint8Array.from(atob(told.data), letter => letter.charCodeAt(0));
  const pen = made.getContext('2d'), image = pen.createImageData(told.width, told.height);
  for (let k = 0; k < told.width * told.height; k++) {
    for (let c = 0; c < 3; c++) image.data[4 * k + c] = bytes[told.channels * k + (told.channels === 3 ? c : 0)];
    image.data[4 * k + 3] = 255;
  }
  pen.putImageData(image, 0, 0);
  return made;
}

/** Pictures in rows, each with its row and name. */
export function gallery(pictures) {
  return make('div', { className: 'gallery' }, ...pictures.map((one, k) => {
    const name = one.name || (one.row === undefined ? String(k + 1) : 'row ' + one.row);
    return make('figure', {}, picture(one.picture, name), make('figcaption', {}, name));
  }));
}

/** A record or a picture, as the studio tells it. */
export function seen(told, label, size) {
  if (!told) return make('p', { className: 'faint' }, 'nothing to show');
  if (told.picture) return picture(told.picture, label, size);
  return table(['column', 'value'], told.record, { caption: label });
}

/** The colours of the page's theme, as a canvas needs them. */
export function theme() {
  const style = getComputedStyle(document.documentElement);
  const of = name => style.getPropertyValue('--' + name).trim();
  return { ink: of('ink'), faint: of('faint'), line: of('line'), paper: of('paper'), a: of('a'), b: of('b') };
}

/** A canvas as large as it stands on the page, in the screen's own points; its pen, width and height. */
export function fit(canvas) {
  const dense = Math.min(devicePixelRatio || 1, 2), wide = canvas.clientWidth, high = canvas.clientHeight;
  const w = Math.round(wide * dense), h = Math.round(high * dense);
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const pen = canvas.getContext('2d');
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  pen.clearRect(0, 0, wide, high);
  return { pen, wide, high };
}

/** Call something when light turns to dark or back. */
export function onTheme(draw) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}
