import { type LiveCheck, type LiveRollout, percentOf } from './live.ts';

/** All that the page shows. */
export interface View {
  readonly rollout: LiveRollout | undefined;
  /** Percent steps of the release, as annotated. */
  readonly steps: readonly number[];
  /** Old and new version, for the legend. */
  readonly versions: readonly string[];
  readonly sent: number;
  readonly failed: number;
  /** Newest last. */
  readonly events: readonly string[];
  /** Slack messages, newest first. */
  readonly messages: readonly string[];
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Asks for the view twice a second and puts it in place. */
export const script = `
const root = document.querySelector('main');
async function refresh() {
  try {
    const answer = await fetch('view');
    root.innerHTML = await answer.text();
    document.body.classList.remove('gone');
  } catch { document.body.classList.add('gone'); }
  setTimeout(refresh, 500);
}
refresh();
`;

const style = `
:root{--ink:#0f172a;--soft:#64748b;--line:#e2e8f0;--paper:#fff;--back:#f8fafc;--good:#16a34a;
--bad:#dc2626;--new:#7c3aed;--old:#94a3b8}
@media(prefers-color-scheme:dark){:root{--ink:#e2e8f0;--soft:#94a3b8;--line:#334155;
--paper:#1e293b;--back:#0f172a;--old:#64748b}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);margin:0;
padding:1.5rem}
main{max-width:64rem;margin:auto;display:grid;gap:1rem}
section{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:1rem}
h1{font-size:1.3rem;margin:0;display:flex;justify-content:space-between;align-items:baseline;gap:1rem}
h2{font-size:.8rem;letter-spacing:.05em;text-transform:uppercase;color:var(--soft);margin:0 0 .6rem}
.soft{color:var(--soft);font-size:.85rem;font-weight:400}
.bar{display:flex;height:2.2rem;border-radius:8px;overflow:hidden;font-weight:600;color:#fff}
.bar div{display:flex;align-items:center;padding:0 .7rem;transition:width .5s;min-width:0;
white-space:nowrap;overflow:hidden}
.old{background:var(--old)}.new{background:var(--new)}
.steps{display:flex;gap:.5rem;margin-top:.8rem}
.steps span{flex:1;text-align:center;padding:.25rem;border-radius:6px;border:1px solid var(--line);
color:var(--soft)}
.steps .done{background:var(--good);color:#fff;border-color:var(--good)}
.steps .now{border:2px solid var(--new);color:var(--new);font-weight:700}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:400;color:var(--soft);font-size:.85rem}
td,th{padding:.3rem .6rem .3rem 0;vertical-align:middle}
.meter{height:.55rem;border-radius:4px;background:var(--line);overflow:hidden;min-width:6rem}
.meter i{display:block;height:100%;transition:width .5s}
.harm i{background:var(--bad)}.safe i{background:var(--good)}
ol{list-style:none;margin:0;padding:0;font:13px/1.6 ui-monospace,monospace;overflow-wrap:anywhere}
.slack{border-left:4px solid var(--new);padding:.2rem .8rem;margin:.5rem 0}
.gone main{opacity:.4}
`;

/** The page as it is first sent. */
export const shell =
  '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
  '<meta name="viewport" content="width=device-width,initial-scale=1">' +
  `<title>Haldane demo</title><style>${style}</style></head>` +
  '<body><main></main><script src="live.js"></script></body></html>';

/** What `script` puts on it. */
export function viewHtml(view: View): string {
  const { rollout, sent, failed } = view;
  const said = `${sent} requests, ${failed} failed`;
  const head = `<h1>shop/web <span class="soft">${said}</span></h1>`;
  return (
    `<section>${head}${traffic(view)}${stepList(view)}</section>` +
    `<section><h2>Evidence</h2>${evidence(rollout)}</section>` +
    `<section><h2>Slack</h2>${slack(view.messages)}</section>` +
    `<section><h2>Events</h2>${events(view.events)}</section>`
  );
}

function traffic({ rollout, versions }: View): string {
  const weight = rollout?.weight ?? 0;
  const [old = 'stable', fresh = 'canary'] = versions;
  const part = (kind: string, share: number, label: string) =>
    `<div class="${kind}" style="width:${share}%">${share >= 8 ? escaped(label) : ''}</div>`;
  const word = rollout === undefined ? 'at rest' : rollout.phase.replaceAll('-', ' ');
  return (
    `<p class="soft">${escaped(weight > 0 ? `${word}: ${fresh} gets ${weight} %` : word)}</p>` +
    `<div class="bar">${part('old', 100 - weight, `${old} ${100 - weight} %`)}` +
    `${weight > 0 ? part('new', weight, `${fresh} ${weight} %`) : ''}</div>`
  );
}

function stepList({ rollout, steps }: View): string {
  const now = rollout?.step ?? 0;
  const all = [...steps, 100].map((step, index) => {
    const place = index + 1 < now ? 'done' : index + 1 === now ? 'now' : '';
    return `<span class="${rollout === undefined ? '' : place}">${step} %</span>`;
  });
  return `<div class="steps">${all.join('')}</div>`;
}

function evidence(rollout: LiveRollout | undefined): string {
  if (rollout === undefined) return '<p class="soft">No rollout is under way.</p>';
  const rows = rollout.checks.map(checkRow).join('');
  const seen = `${rollout.requests} requests reached the canary, ${rollout.failed} failed.`;
  return (
    '<table><tr><th>check</th><th>canary</th><th>stable</th><th colspan="2">harm: rolls back</th>' +
    `<th colspan="2">safe: goes on</th></tr>${rows}</table><p class="soft">${seen}</p>`
  );
}

function checkRow(check: LiveCheck): string {
  const { evidence: harm, threshold, promotion, promotionThreshold } = check;
  return (
    `<tr><td>${escaped(check.name)}</td><td>${percentOf(check.canary)}</td>` +
    `<td>${percentOf(check.stable)}</td>${meter('harm', harm, threshold)}` +
    `${meter('safe', promotion, promotionThreshold)}</tr>`
  );
}

/** Evidence multiplies, so its bar is logarithmic: empty at 1, full at the threshold. */
function meter(kind: string, value: number, threshold: number): string {
  if (Number.isNaN(value)) return '<td colspan="2" class="soft">only rejects</td>';
  const filled = value <= 1 ? 0 : Math.min(1, Math.log(value) / Math.log(threshold));
  const said = `${Number(Math.min(value, 1e6).toPrecision(2))} of ${threshold}`;
  const width = (filled * 100).toFixed(1);
  const bar = `<i style="width:${width}%"></i>`;
  return `<td><div class="meter ${kind}">${bar}</div></td><td>${said}</td>`;
}

const slack = (messages: readonly string[]): string =>
  messages.length === 0
    ? '<p class="soft">Nothing yet.</p>'
    : messages.map((text) => `<div class="slack">${escaped(text)}</div>`).join('');

const events = (lines: readonly string[]): string =>
  `<ol>${lines
    .toReversed()
    .map((line) => `<li>${escaped(line)}</li>`)
    .join('')}</ol>`;
