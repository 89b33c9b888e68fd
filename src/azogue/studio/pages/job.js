// A training as it goes: how far, the curve of its loss, a button that stops it.

import { post, watch } from './api.js';
import { at, complain, fit, guarded, make, onTheme, theme } from './dom.js';

let points = [], following = false;

export function wireJob() {
  at('stop').addEventListener('click', guarded(async () => {
    at('stop').disabled = true;
    await post('stop');
  }));
  new ResizeObserver(draw).observe(at('curve'));
  onTheme(draw);
}

/** Hear the events of the training until its end. */
export async function follow(render) {
  if (following) return;
  following = true;
  try {
    await watch((event, data) => {
      if (event === 'epoch') showJob(data);
      else { following = false; render(data); }
    });
  } catch (fault) {
    complain(fault);
  }
  following = false;
}

export function showJob(job) {
  at('job-part').hidden = !job;
  if (!job) return;
  const running = job.state === 'running', bar = at('bar'), known = job.epochs > 0;
  at('stop').hidden = !running;
  at('stop').disabled = job.stopping;
  if (running && !known) bar.removeAttribute('value');
  else bar.value = running ? job.epoch / Math.max(job.epochs, 1) : 1;
  const status = said(job);
  if (at('status').textContent !== status) at('status').textContent = status;
  at('status').setAttribute('aria-live', running && job.epoch % 10 ? 'off' : 'polite');
  if (job.state === 'failed') complain(job.error);
  at('lines').replaceChildren(...job.lines.map(line => make('li', {}, line)));
  points = job.points;
  at('curve').parentElement.hidden = points.length < 2;
  draw();
}

function said(job) {
  const seconds = `${job.seconds} s`;
  if (job.state === 'failed') return `Failed after ${seconds}`;
  if (job.state === 'stopped') return `Stopped after ${seconds}; what was learned until then works`;
  if (job.state === 'done') return `Done in ${seconds}`;
  if (!job.epochs) return `Preparing, ${seconds}`;
  const network = job.network > 1 ? `network ${job.network}, ` : '';
  if (job.stopping) return `Stopping after this pass, ${seconds}`;
  if (job.epoch >= job.epochs) return `${network}finishing, ${seconds}`;
  return `${network}pass ${job.epoch} of at most ${job.epochs}, ${seconds}`;
}

/** The loss on the rows that are trained on, and on those held out. */
function draw() {
  const canvas = at('curve');
  if (points.length < 2 || !canvas.clientWidth) return;
  const { pen, wide, high } = fit(canvas), colors = theme();
  const values = points.flatMap(([, a, b]) => [a, b]).filter(value => Number.isFinite(value));
  const top = Math.max(...values), low = Math.min(...values), log = low > 0 && top / low > 20;
  const scaled = value => (log ? Math.log(value) : value);
  const from = scaled(low), span = (scaled(top) - from) || 1, last = points.at(-1)[0], first = points[0][0];
  const left = 58, right = 16, up = 12, down = 30;
  const x = epoch => left + (epoch - first) / (last - first || 1) * (wide - left - right);
  const y = value => high - down - (scaled(value) - from) / span * (high - up - down);
  pen.font = '12px system-ui, sans-serif';
  pen.strokeStyle = colors.line;
  pen.strokeRect(left, up, wide - left - right, high - up - down);
  pen.fillStyle = colors.faint;
  pen.textAlign = 'right';
  pen.fillText(top.toPrecision(3), left - 5, up + 10);
  pen.fillText(low.toPrecision(3), left - 5, high - down);
  pen.fillText(String(last), wide - right, high - 12);
  pen.textAlign = 'left';
  pen.fillText(String(first), left, high - 12);
  pen.textAlign = 'center';
  pen.fillText('pass over the rows' + (log ? ' (loss on a logarithmic scale)' : ''), (left + wide - right) / 2, high - 12);
  pen.textAlign = 'left';
  ['loss', 'held-out rows'].forEach((name, k) => {
    const line = points.filter(point => Number.isFinite(point[k + 1]));
    if (!line.length) return;
    pen.strokeStyle = pen.fillStyle = k ? colors.b : colors.a;
    pen.lineWidth = 2;
    pen.setLineDash(k ? [6, 4] : []);
    pen.beginPath();
    line.forEach(point => pen.lineTo(x(point[0]), y(point[k + 1])));
    pen.stroke();
    pen.setLineDash([]);
    pen.lineWidth = 1;
    pen.fillText(name, wide - right - 100, up + 18 + 16 * k);
  });
  canvas.setAttribute('aria-label', `Loss by pass over the rows: ${points.at(-1)[1]?.toPrecision(3)} after ${last}`);
}
