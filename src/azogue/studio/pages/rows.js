// Rows one by one: why one is unusual, and which are most like it.

import { post } from './api.js';
import { cell, gallery, guarded, make, picture, seen, table } from './dom.js';

/** The least usual rows; of a chosen one, what each column adds to its score. */
export function anomaliesView() {
  const list = make('div'), reasons = make('div', { 'aria-live': 'polite' });
  const view = make('div', { className: 'two even' }, list, reasons);
  view.choose = guarded(async row => {
    for (const line of list.querySelectorAll('tr')) {
      const first = line.querySelector('button');
      line.classList.toggle('chosen', Boolean(first) && first.textContent === String(row));
    }
    const found = await post('explain', { row });
    reasons.replaceChildren(...explained(found));
    if (found.reasons) expected(reasons, found.reasons, (await post('expected', { row })).expected);
  });
  guarded(async () => {
    const found = await post('worst');
    const caption = `The least usual rows; ${found.beyond.toLocaleString('en')} of ${found.count.toLocaleString('en')} are beyond the threshold`;
    list.replaceChildren(table(found.columns, found.rows, { caption, pick: row => view.choose(row[0]) }));
    if (found.rows.length && !reasons.childNodes.length) view.choose(found.rows[0][0]);
  })();
  return view;
}

function explained(found) {
  const title = make('h3', {}, found.name || 'Row ' + found.row);
  const beyond = found.threshold === null ? '' : `, ${found.score > found.threshold ? 'beyond' : 'within'} the threshold of ${found.threshold.toPrecision(4)}`;
  const score = make('p', {}, `Score ${found.score.toPrecision(4)}${beyond}; 1 is usual.`);
  if (found.heat) {
    const shown = [['as it is', found.given], ['as expected', found.expected], ['where it differs', found.heat]];
    return [title, score, make('div', { className: 'gallery' }, ...shown.map(([name, one]) =>
      make('figure', {}, picture(one, name, 160), make('figcaption', {}, name))))];
  }
  const top = Math.max(...found.reasons.map(line => line[1]), 1e-12);
  const made = table(['column', 'adds', 'is', 'expected'], found.reasons.map(([name, adds, is]) =>
    [name, adds.toPrecision(3), is, '']), { caption: 'What each column adds to the score' });
  made.classList.add('bars');
  made.querySelectorAll('tbody tr').forEach((line, k) => {
    const bar = make('i');
    bar.style.width = (100 * found.reasons[k][1] / top) + '%';
    line.cells[0].after(make('td', { className: 'bar', 'aria-hidden': 'true' }, bar));
  });
  made.querySelector('thead th').after(make('th', { 'aria-hidden': 'true' }));
  return [title, score, made];
}

/** What was expected comes a little later: it takes as many looks at the row again. */
function expected(place, reasons, told) {
  place.querySelectorAll('tbody tr').forEach((line, k) => {
    const value = reasons[k] && told[reasons[k][0]];
    if (value !== undefined && line.cells.length > 4) line.replaceChild(cell(value), line.cells[4]);
  });
}

/** The rows whose binary codes differ least from that of a row. */
export function similarView(state) {
  const most = state.data ? state.data.rows - 1 : 0;
  const row = make('input', { type: 'number', id: 'similar-row', min: 0, max: most, value: 0 });
  const go = make('button', { type: 'button' }, 'Find'), found = make('div', { 'aria-live': 'polite' });
  const view = make('div', {}, make('p', { className: 'row' }, make('label', { for: 'similar-row' }, 'Most like row '), row,
    go), found);
  view.choose = guarded(async number => {
    row.value = number;
    const [own, near] = await Promise.all([post('row', { row: number }), post('similar', { row: number })]);
    const bits = near.near.map(count => `${count} of ${near.bits} bits differ`);
    const parts = [make('h3', {}, own.name || `Row ${number}`)];
    if (near.pictures) {
      const named = near.pictures.map((one, k) => ({ ...one, name: `${one.name || 'row ' + one.row}: ${bits[k]}` }));
      parts.push(seen(own.given, 'as it is', 120), make('h3', {}, 'Most alike'), gallery(named));
    } else {
      const rows = near.rows.map((line, k) => [line[0], near.near[k], ...line.slice(1)]);
      const mine = [number, 0, ...own.given.record.map(([, value]) => value)];
      parts.push(table(['row', 'bits that differ', ...near.columns], [mine, ...rows], { caption: `Row ${number}, and those most like it`,
        pick: line => view.choose(line[0]) }));
    }
    found.replaceChildren(...parts);
  });
  go.addEventListener('click', () => view.choose(Number(row.value)));
  view.choose(0);
  return view;
}
