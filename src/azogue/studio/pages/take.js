// What can be taken away: results, the model, pages, and the same as commands and as a program.

import { download } from './api.js';
import { at, guarded, make } from './dom.js';

export function showTake(made) {
  const there = made && Object.keys(made.downloads).length > 0;
  at('take-part').hidden = !there;
  if (!there) return;
  at('downloads').replaceChildren(...Object.entries(made.downloads).map(([name, what]) => {
    const button = make('button', { type: 'button', id: 'take-' + name }, name);
    button.addEventListener('click', guarded(() => download(name)));
    return make('p', { className: 'row' }, button, make('span', { className: 'faint' }, what));
  }));
  at('commands').replaceChildren(...(made.commands ? [shown('The same in a shell', made.commands.shell),
    shown('The same in Python', made.commands.python)] : []));
}

function shown(title, text) {
  const copy = make('button', { type: 'button' }, 'Copy');
  copy.addEventListener('click', guarded(async () => {
    await navigator.clipboard.writeText(text);
    copy.textContent = 'Copied';
  }));
  return make('details', { open: true }, make('summary', {}, title), make('pre', { tabIndex: 0 }, text), copy);
}
