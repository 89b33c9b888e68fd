// What a use made of the data, beside what they were; and rows drawn under conditions.

import { post } from './api.js';
import { cell, gallery, guarded, make, picture, table } from './dom.js';

/** Before and after. */
export function compareView() {
  const view = make('div');
  guarded(async () => {
    const found = await post('compare');
    view.replaceChildren(...(found.pairs ? pairs(found.pairs) : changes(found)));
  })();
  return view;
}

function pairs(found) {
  return [make('p', { className: 'faint' }, 'Before, after.'), make('div', { className: 'gallery' }, ...found.map(one => {
    const name = one.name || 'row ' + one.row;
    return make('figure', {}, make('div', { className: 'pair' }, picture(one.before, name + ' before', 120),
      picture(one.after, name + ' after', 120)), make('figcaption', {}, name));
  }))];
}

function changes(found) {
  const shown = table(['row', ...found.columns], found.rows.map(line => [line.row, ...line.after]), { caption: `The first of ${found.count.toLocaleString('en')} rows; changed cells are marked, with what was there before` });
  const body = shown.querySelector('tbody');
  body.replaceChildren();
  for (const { row, before, after, hints } of found.rows) {
    const line = make('tr', {}, cell(row));
    after.forEach((value, k) => {
      const made = cell(value);
      if (value !== before[k]) {
        made.classList.add('changed');
        const old = before[k] === null ? 'was missing' : 'was ' + before[k];
        made.append(make('small', {}, hints[k] ? `${old}, ${hints[k]}` : old));
      }
      line.append(made);
    });
    body.append(line);
  }
  return [shown];
}

const SIGNS = ['=', '!=', '>=', '<=', '>', '<'];

/** New rows, under conditions. */
export function drawView(state, render) {
  const number = make('input', { type: 'number', id: 'draw-rows', min: 1, max: 100000, value: 100 });
  const seed = make('input', { type: 'number', id: 'draw-seed', min: 0, value: 0 });
  const go = make('button', { type: 'button', className: 'main', id: 'draw' }, 'Draw'), conditions = make('div');
  const more = make('button', { type: 'button', id: 'more' }, 'Add a condition'), drawn = make('div', { 'aria-live': 'polite' });
  const columns = state.data && state.data.columns ? state.data.columns.map(column => column.name) : [];
  const asked = columns.length > 0 && state.use === 'synthesise';
  more.hidden = !asked;
  more.addEventListener('click', () => conditions.append(condition(columns)));
  go.addEventListener('click', guarded(async () => {
    go.disabled = true;
    try {
      const where = [...conditions.children].map(line => line.told());
      const found = await post('draw', { rows: Number(number.value), where, seed: Number(seed.value) });
      drawn.replaceChildren(found.pictures ? gallery(found.pictures)
        : table(found.columns, found.rows, { caption: `The first of ${found.count.toLocaleString('en')} drawn rows` }));
      render({ ...state, made: found.made });
    } finally {
      go.disabled = false;
    }
  }));
  const view = make('div', {}, make('p', { className: 'row' }, make('label', { for: 'draw-rows' }, 'Rows '), number,
    make('label', { for: 'draw-seed' }, 'Seed '), seed, more, go), conditions,
  make('p', { className: 'faint' }, 'Drawn rows are not anonymous because they are drawn.'), drawn);
  return view;
}

/** A condition: a column, a sign, a value; nothing behind = is a missing cell. */
function condition(columns) {
  const of = (names, label) => make('select', { 'aria-label': label }, ...names.map(name => make('option', { value: name }, name)));
  const column = of(columns, 'Column'), sign = of(SIGNS, 'Sign');
  const value = make('input', { type: 'text', 'aria-label': 'Value' });
  const gone = make('button', { type: 'button', 'aria-label': 'Remove this condition' }, '×');
  const line = make('p', { className: 'row condition' }, column, sign, value, gone);
  gone.addEventListener('click', () => line.remove());
  line.told = () => `${column.value}${sign.value}${value.value}`;
  return line;
}
