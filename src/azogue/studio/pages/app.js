// The page: what the studio knows of this tab, shown part by part.

import { open, post } from './api.js';
import { at, complain, guarded } from './dom.js';
import { showData, wireData } from './data.js';
import { showUses, wireUses } from './uses.js';
import { follow, showJob, wireJob } from './job.js';
import { showLook } from './look.js';
import { showTake } from './take.js';

/** Show all that is known; parts that are not there yet are hidden. */
function render(state) {
  at('reset').hidden = !state.data && !state.model;
  showData(state, render);
  showUses(state);
  showJob(state.job);
  showLook(state, render);
  showTake(state.made);
  if (state.job && state.job.state === 'running') follow(render);
}

/** Start the chosen use. */
const start = guarded(async (use, options) => {
  const { job } = await post('start', { use, options });
  showLook({ made: null }, render);
  showTake(null);
  showJob(job);
  at('job-part').scrollIntoView({ block: 'start' });
  follow(render);
});

wireData(render);
wireUses(start);
wireJob();
at('reset').addEventListener('click', guarded(async () => render(await post('reset'))));

open().then(render).catch(complain);
