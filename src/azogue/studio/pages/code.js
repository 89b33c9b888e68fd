// Sliders through the code, and what the decoder makes of where they stand.

import { latest, post } from './api.js';
import { complain, guarded, make, seen } from './dom.js';

/** The view; `place(point)` is told where the code lies on the map. */
export function codeView(place) {
  const sliders = make('div', { className: 'sliders' }), decoded = make('div', { 'aria-live': 'polite' });
  const beside = make('div'), told = make('p', { className: 'faint', role: 'status' });
  const middle = make('button', { type: 'button' }, 'To the middle'), row = make('input', { type: 'number', min: 0, id: 'code-row' });
  const go = make('button', { type: 'button' }, 'Take its code');
  const rows = make('p', { className: 'row' }, make('label', { for: 'code-row' }, 'Row '), row, go, middle);
  const view = make('div', { className: 'two' }, make('div', {}, rows, told, sliders),
    make('div', {}, make('h3', {}, 'What this code stands for'), decoded, beside));
  let code = [], inputs = [], whole = false, start = [];

  const ask = latest(async z => post('decode', { code: z }), found => {
    decoded.replaceChildren(seen(found, 'Decoded', 260));
    place(found.place);
  }, complain);

  const move = z => {
    code = [...z];
    for (const { input, output, unit } of inputs) {
      input.value = code[unit];
      output.textContent = Number(code[unit]).toFixed(whole ? 0 : 3);
    }
    ask(code);
  };

  const slider = ({ unit, low, high }) => {
    const id = 'unit-' + unit, output = make('output', { for: id });
    const input = make('input', { id, type: 'range', min: low, max: high, step: whole ? 1 : (high - low) / 400 });
    input.addEventListener('input', () => {
      code[unit] = Number(input.value);
      output.textContent = code[unit].toFixed(whole ? 0 : 3);
      ask(code);
    });
    inputs.push({ input, output, unit });
    return [make('label', { for: id }, 'unit ' + (unit + 1)), input, output];
  };

  view.choose = guarded(async number => {
    const found = await post('row', { row: number });
    row.value = number;
    told.textContent = `The code of ${found.name || 'row ' + number}.`;
    beside.replaceChildren(make('h3', {}, found.name || `Row ${number} as it is`), seen(found.given, 'As it is', 260));
    if (found.code) move(found.code);
  });

  go.addEventListener('click', () => view.choose(Number(row.value)));
  middle.addEventListener('click', () => {
    told.textContent = '';
    beside.replaceChildren();
    move(start);
  });
  guarded(async () => {
    const found = await post('units');
    whole = found.whole;
    start = found.code;
    sliders.replaceChildren(...found.units.flatMap(slider));
    if (found.units.length < found.size) {
      sliders.after(make('p', { className: 'faint' }, `The ${found.units.length} units of ${found.size} that vary most.`));
    }
    move(start);
  })();
  return view;
}
