// Data and models in: dropped or chosen, sent one by one, and shown as they were read.

import { post, upload } from './api.js';
import { at, guarded, make, table } from './dom.js';

const PICTURES = /\.(png|jpe?g|bmp|gif|tiff?|webp)$/i, MODEL = /\.azogue$/i;
let limit = { bytes: Infinity, text: '' };

export function wireData(render) {
  const drop = at('drop');
  const take = guarded(async files => { render(await send(files)); });
  for (const id of ['files', 'folder']) {
    at(id).addEventListener('change', async event => {
      await take([...event.target.files]);
      event.target.value = '';
    });
  }
  drop.addEventListener('dragover', event => { event.preventDefault(); drop.classList.add('over'); });
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  for (const name of ['dragover', 'drop']) addEventListener(name, event => event.preventDefault());
  drop.addEventListener('drop', guarded(async event => {
    event.preventDefault();
    drop.classList.remove('over');
    render(await send(await dropped(event.dataTransfer)));
  }));
}

/** The files of a drop, those of folders too. */
async function dropped(transfer) {
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.some(entry => entry.isDirectory)) return [...transfer.files];
  const files = [];
  for (const entry of entries) await walk(entry, files);
  return files;
}

async function walk(entry, files) {
  if (entry.isFile) {
    files.push(await new Promise((tell, fail) => { entry.file(tell, fail); }));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((tell, fail) => { reader.readEntries(tell, fail); });
    if (!some.length) return;
    for (const one of some) await walk(one, files);
  }
}

/** Send a model, a table, or all pictures; what is too large is not sent at all. */
async function send(files) {
  const pictures = files.filter(file => PICTURES.test(file.name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const others = files.filter(file => !PICTURES.test(file.name) && !file.name.startsWith('.'));
  if (!files.length) throw new Error('nothing was chosen');
  if (pictures.length && !others.some(file => MODEL.test(file.name))) others.length = 0;
  if (others.filter(file => !MODEL.test(file.name)).length > 1) throw new Error('give one table, or several pictures');
  const all = [...others.sort((a, b) => MODEL.test(b.name) - MODEL.test(a.name)), ...pictures];
  const bytes = all.reduce((sum, file) => sum + file.size, 0);
  if (bytes > limit.bytes) {
    throw new Error(`${(bytes / 2 ** 20).toFixed(0)} MB are more than ${limit.text}, which is what the studio takes; `
      + 'give the file itself: azogue studio FILE');
  }
  const told = at('sending');
  told.hidden = false;
  try {
    let state = null;
    for (const [number, file] of all.entries()) {
      told.textContent = all.length > 1 ? `Sending ${number + 1} of ${all.length} files` : `Sending ${file.name}`;
      const more = { ...(file === pictures[0] && { first: 1 }), ...(file === pictures.at(-1) && { last: 1 }) };
      state = await upload(file, more);
    }
    return state;
  } finally {
    told.hidden = true;
  }
}

export function showData(state, render) {
  limit = state.limit || limit;
  at('takes').textContent = '.csv, .tsv, .parquet, .npy; .png, .jpg and others; .azogue'
    + (limit.text ? `; up to ${limit.text}` : '');
  at('drop').classList.toggle('small', Boolean(state.data || state.model));
  at('data').replaceChildren(...(state.data ? described(state.data, render) : []));
  at('model').replaceChildren(...(state.model ? modelled(state.model, state.data) : []));
}

function modelled(model, data) {
  const facts = make('dl', { className: 'facts' });
  for (const [name, value] of Object.entries(model.facts)) facts.append(make('dt', {}, name), make('dd', {}, value));
  return [make('details', { open: !data }, make('summary', {}, 'Model ' + model.name), facts)];
}

const NOUNS = { table: 'rows', image: 'pictures' };

function described(data, render) {
  const count = `${data.rows.toLocaleString('en')} ${NOUNS[data.kind]}`;
  const wide = data.columns ? `, ${data.columns.length.toLocaleString('en')} columns` : '';
  const parts = [make('p', {}, make('strong', {}, data.name), `: ${count}${wide}`)];
  if (data.first) parts.push(table(data.first.columns, data.first.rows, { caption: 'The first rows' }));
  if (data.columns && data.form !== 'array') parts.push(reading(data, render));
  return parts;
}

/** Columns to leave out, and what marks a missing cell. */
function reading(data, render) {
  const out = new Set(data.reading.drop);
  const names = [...data.reading.drop.map(name => ({ name, kind: 'left out', missing: 0 })), ...data.columns];
  const boxes = names.map(({ name, kind, missing }) => {
    const box = make('input', { type: 'checkbox', checked: !out.has(name), value: name });
    const holes = missing ? `, ${missing.toLocaleString('en')} missing` : '';
    return make('label', {}, box, ' ', name, make('span', { className: 'faint' }, ` (${kind}${holes})`));
  });
  const mark = make('input', { type: 'text', value: data.reading.missing, maxLength: 100, size: 8 });
  const header = make('input', { type: 'checkbox', checked: data.reading.header });
  const again = make('button', { type: 'button', id: 'reread' }, 'Read again');
  const list = make('fieldset', { className: 'checks' }, make('legend', { className: 'away' }, 'Columns that are read'),
    ...boxes);
  again.addEventListener('click', guarded(async () => {
    const drop = [...list.querySelectorAll('input')].filter(box => !box.checked).map(box => box.value);
    render(await post('reading', { drop, missing: mark.value, header: header.checked }));
  }));
  const changed = out.size > 0 || data.reading.missing !== '' || !data.reading.header;
  return make('details', { id: 'reading', open: changed }, make('summary', {}, 'Columns, and how cells are read'), list,
    make('p', { className: 'row' }, make('label', {}, 'A missing cell is also ', mark),
      make('label', {}, header, ' The first line names the columns'), again));
}
