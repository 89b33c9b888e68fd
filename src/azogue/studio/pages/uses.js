// What the data are good for, and the form of the chosen use.

import { at, complain, make } from './dom.js';

let uses = [], columns = [];

export function wireUses(start) {
  at('form').addEventListener('submit', event => {
    event.preventDefault();
    const chosen = uses.find(use => use.name === new FormData(at('form')).get('use'));
    if (!chosen) { complain('choose a use first'); return; }
    start(chosen.name, values(chosen));
  });
  at('uses').addEventListener('change', () => showFields());
}

export function showUses(state) {
  const known = JSON.stringify([state.uses, state.data && state.data.columns]);
  at('use-part').hidden = !state.uses.length;
  if (showUses.known === known) return;
  showUses.known = known;
  uses = state.uses;
  columns = state.data && state.data.columns ? state.data.columns.map(column => column.name) : [];
  const before = new FormData(at('form')).get('use');
  const first = uses.find(use => use.name === (state.use || before) && !use.refusal) || uses.find(use => !use.refusal);
  at('uses').replaceChildren(at('uses').querySelector('legend'), ...uses.map(use => {
    const box = make('input', { type: 'radio', name: 'use', value: use.name, disabled: Boolean(use.refusal),
      checked: use === first });
    return make('label', { className: 'use' }, box, ' ', make('strong', {}, use.label),
      make('small', {}, use.refusal ? use.refusal : use.text));
  }));
  at('start').disabled = !first;
  showFields();
}

function showFields() {
  const use = uses.find(one => one.name === new FormData(at('form')).get('use'));
  at('fields').replaceChildren(...(use ? use.fields.map(asked) : []));
}

/** A field of the form. */
function asked(field) {
  const id = 'field-' + field.name;
  const help = field.help ? make('small', { id: id + '-help' }, field.help) : null;
  if (field.kind === 'columns') {
    const boxes = columns.map(name => make('label', {},
      make('input', { type: 'checkbox', name: field.name, value: name }), ' ', name));
    return make('div', {}, make('span', {}, field.label),
      make('fieldset', { className: 'checks' }, make('legend', { className: 'away' }, field.label), ...boxes), help);
  }
  let input;
  if (field.kind === 'choice') {
    input = make('select', { id, name: field.name }, ...field.choices.map(name =>
      make('option', { value: name, selected: name === field.default }, name)));
  } else if (field.kind === 'yes') {
    input = make('input', { id, name: field.name, type: 'checkbox', checked: field.default });
  } else {
    const number = field.kind !== 'text';
    input = make('input', { id, name: field.name, type: number ? 'number' : 'text', value: field.default ?? '' });
    if (number) Object.assign(input, { min: field.least, max: field.most, step: field.kind === 'whole' ? 1 : 'any' });
  }
  if (help) input.setAttribute('aria-describedby', id + '-help');
  return make('label', { for: id }, make('span', {}, field.label), input, help);
}

function values(use) {
  const form = at('form'), told = {};
  for (const field of use.fields) {
    const inputs = [...form.querySelectorAll('#fields [name]')].filter(input => input.name === field.name);
    if (field.kind === 'columns') told[field.name] = inputs.filter(box => box.checked).map(box => box.value);
    else if (field.kind === 'yes') told[field.name] = inputs[0].checked;
    else told[field.name] = inputs[0].value;
  }
  return told;
}
