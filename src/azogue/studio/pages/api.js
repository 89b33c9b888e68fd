// What the page asks the studio. The token comes in the fragment of the address, which no server ever sees, leaves the
// address at once, and stays with this tab; every request shows it in a header, which no other page can do.

const TOKEN = 'azogue-token', SESSION = 'azogue-session';

if (location.hash.length > 1) {
  const token = location.hash.slice(1);
  if (token !== sessionStorage.getItem(TOKEN) && /^[\w-]{40,}$/.test(token)) {
    sessionStorage.setItem(TOKEN, token);
    sessionStorage.removeItem(SESSION);
  }
  history.replaceState(null, '', location.pathname);
}

let session = '';

/** An answer that is a complaint: its text, and the status. */
export class Fault extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

async function send(name, options = {}) {
  const headers = { 'X-Azogue-Token': sessionStorage.getItem(TOKEN) || '', 'X-Azogue-Session': session };
  let answer;
  try {
    answer = await fetch('api/' + name, { ...options, headers, cache: 'no-store', credentials: 'omit' });
  } catch {
    throw new Fault('the studio does not answer; has it ended?', 0);
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let told = text.trim();
  try { told = JSON.parse(text).error; } catch { /* a line of text */ }
  throw new Fault(told || 'the studio answered ' + answer.status, answer.status);
}

export async function get(name) {
  return (await send(name)).json();
}

export async function post(name, body = {}) {
  return (await send(name, { method: 'POST', body: JSON.stringify(body) })).json();
}

/** Send a file as it is. */
export async function upload(file, more) {
  const query = new URLSearchParams({ name: file.name, ...more });
  return (await send('upload?' + query, { method: 'POST', body: file })).json();
}

/** This tab's session: the one from before a reload, if no copy of this tab has it, or a new one. */
export async function open() {
  const known = sessionStorage.getItem(SESSION);
  if (known && await held(known)) {
    session = known;
    try {
      return await get('state');
    } catch (fault) {
      if (fault.status !== 410) throw fault;
    }
  }
  session = '';
  const state = await post('open');
  session = state.session;
  sessionStorage.setItem(SESSION, session);
  await held(session);
  return state;
}

/** Hold a session's name as long as this page lives; false if another tab does. */
function held(name) {
  return new Promise(tell => {
    navigator.locks.request('azogue-' + name, { ifAvailable: true }, lock => {
      tell(lock !== null);
      return lock && new Promise(() => {});
    });
  });
}

/** Follow a training: `heard(event, data)` for each server-sent event. */
export async function watch(heard) {
  const reader = (await send('watch')).body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split('\n\n');
    text = parts.pop();
    for (const part of parts) {
      const found = /^event: (\w+)\ndata: (.*)$/s.exec(part);
      if (found) heard(found[1], JSON.parse(found[2]));
    }
  }
}

/** Hand a file over to the browser's downloads. */
export async function download(name) {
  const answer = await send('download', { method: 'POST', body: JSON.stringify({ name }) });
  const address = URL.createObjectURL(await answer.blob());
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** One request at a time, the last one that was wanted next: for sliders, which ask faster than anybody answers. */
export function latest(ask, show, fail) {
  let running = false, waiting = null;
  return async function next(...wanted) {
    if (running) { waiting = wanted; return; }
    running = true;
    try { show(await ask(...wanted)); } catch (fault) { fail(fault); }
    running = false;
    if (waiting) { const again = waiting; waiting = null; next(...again); }
  };
}
