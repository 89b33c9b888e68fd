// What there is to see of a model: a tab for each view, shown when it is first opened.

import { at, make, table } from './dom.js';
import { anomaliesView, similarView } from './rows.js';
import { codeView } from './code.js';
import { compareView, drawView } from './results.js';
import { mapView } from './map.js';

const TITLES = { map: 'Map', code: 'Code', anomalies: 'Anomalies', compare: 'Before and after', draw: 'Draw rows',
  similar: 'Most alike' };
let shown = null;

export function showLook(state, render) {
  const made = state.made;
  at('look-part').hidden = !made;
  if (!made) {
    shown = null;
    at('tabs').replaceChildren();
    at('views').replaceChildren();
    return;
  }
  const known = JSON.stringify([made.views, state.use, state.job && state.job.seconds, state.model && state.model.name]);
  if (shown === known) return;
  shown = known;
  tell(made);
  const built = {}, choose = name => open(name, state, built, render);
  at('tabs').replaceChildren(...made.views.map(name => {
    const tab = make('button', { type: 'button', id: 'tab-' + name, role: 'tab', 'aria-controls': 'view-' + name },
      TITLES[name]);
    tab.addEventListener('click', () => choose(name));
    return tab;
  }));
  at('tabs').onkeydown = event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], tabs = [...at('tabs').children];
    if (!step) return;
    const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  };
  at('views').replaceChildren();
  const first = { detect: 'anomalies', denoise: 'compare', impute: 'compare', anonymize: 'compare', hash: 'similar',
    synthesise: 'draw' }[state.use];
  if (made.views.length) choose(made.views.includes(first) ? first : made.views[0]);
}

/** What was said of the result. */
function tell(made) {
  const lines = (made.lines || []).map(line => make('p', {}, line)), parts = lines.length > 6
    ? [...lines.slice(0, 2), make('details', {}, make('summary', {}, 'All that was found'), ...lines.slice(2))] : lines;
  if (made.table && made.table.length) {
    parts.push(table(['column', 'filled', 'told', 'how sure'], made.table.map(line => [line.column, line.filled,
      line.skill === null ? 'not known' : Math.round(100 * Math.max(line.skill, 0)) + ' %', line.sure]),
    { caption: 'What was filled. Told: how much of the error of the mean, or of the most frequent value, is gone' }));
  }
  at('told').replaceChildren(...parts);
}

/** Open a view, making it where it is not there yet. */
function open(name, state, built, render) {
  const makers = {
    map: () => mapView(state, row => picked(row)),
    code: () => codeView(point => built.map && built.map.map.place(point)),
    anomalies: () => anomaliesView(),
    compare: () => compareView(),
    draw: () => drawView(state, render),
    similar: () => similarView(state),
  };
  const picked = row => {
    for (const other of ['code', 'anomalies', 'similar']) {
      if (!state.made.views.includes(other)) continue;
      if (!built[other]) add(other);
      built[other].choose(row);
    }
  };
  const add = which => {
    built[which] = makers[which]();
    const place = make('div', { id: 'view-' + which, role: 'tabpanel', 'aria-labelledby': 'tab-' + which, hidden: true },
      built[which]);
    at('views').append(place);
  };
  if (!built[name]) add(name);
  for (const place of at('views').children) place.hidden = place.id !== 'view-' + name;
  for (const tab of at('tabs').children) {
    tab.setAttribute('aria-selected', String(tab.id === 'tab-' + name));
    tab.tabIndex = tab.id === 'tab-' + name ? 0 : -1;
  }
}
