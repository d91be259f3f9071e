// Asks this page's own server every few seconds and puts what is new in its place. Everything is text that the server has
// escaped; nothing is ever sent but GET.
"use strict";
(() => {
  const EVERY_MS = 3000;
  const LINES = 6;
  const plots = new Map();
  const held = new Map(); // sections that are new, while somebody has text of them selected
  const opened = new Map(); // what a person has opened or closed, by key
  const keyed = (body) => [...body.querySelectorAll("[data-key]")];
  const byId = (id) => document.getElementById(id);

  const colour = (index) => getComputedStyle(document.documentElement).getPropertyValue(`--line-${index % LINES}`).trim();
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const shown = (value) => (value === 0 ? "0" : value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toPrecision(2));

  const axis = (size) => ({
    stroke: ink("--soft"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line"), width: 1 },
    font: "11px system-ui, sans-serif", size,
  });

  function draw(chart, times) {
    const place = byId(`chart-${chart.name}`);
    const regions = chart.lines.map((line) => line.region).join("|");
    const values = [times, ...chart.lines.map((line) => line.values)];
    const theme = ink("--ground");
    const known = plots.get(chart.name);
    if (known && known.regions === regions && known.theme === theme) {
      known.plot.setData(values);
      return;
    }
    if (known) known.plot.destroy();
    place.replaceChildren();
    const plot = new uPlot({
      width: place.clientWidth, height: place.clientHeight, cursor: { show: false }, legend: { show: false },
      scales: { y: { range: (_, low, high) => [0, Math.max(high || 0, chart.name === "dollars" ? 0.001 : 1) * 1.1] } },
      axes: [axis(32), { ...axis(64), values: (_, ticks) => ticks.map((tick) => (tick === 0 ? "0" : String(Number(tick.toPrecision(3))))) }],
      series: [{}, ...chart.lines.map((line, index) => ({
        label: line.region, stroke: colour(index), width: 2, spanGaps: false, dash: index >= 2 ? [2 + 3 * index, 4] : undefined,
        points: { show: line.values.filter((value) => value !== null).length < 3 },
      }))],
    }, values, place);
    plots.set(chart.name, { plot, regions, theme });
    const before = place.parentElement.querySelector(".legend");
    if (before) before.remove();
    const legend = document.createElement("ul");
    legend.className = "legend";
    chart.lines.forEach((line, index) => {
      const item = document.createElement("li");
      item.className = `line-${index % LINES}`;
      const name = document.createElement("span");
      name.textContent = line.region;
      item.append(document.createElement("i"), name);
      legend.append(item);
    });
    place.after(legend);
  }

  function tell(chart) {
    const unit = byId(`chart-${chart.name}`).dataset.unit;
    const said = chart.lines.map((line) => {
      const known = line.values.filter((value) => value !== null);
      if (!known.length) return `${line.region}: nothing is known`;
      const last = line.values[line.values.length - 1];
      return `${line.region}: ${last === null ? "nothing" : `${shown(last)} ${unit}`} now, ${shown(Math.max(...known))} at most`;
    });
    byId(`${chart.name}-told`).textContent = said.join("; ") || "nothing is known yet";
  }

  function put(id, html) {
    const body = byId(`${id}-body`);
    if (!body || body.dataset.html === html) return;
    const selected = !window.getSelection().isCollapsed && body.contains(window.getSelection().anchorNode);
    if (selected) { held.set(id, html); return; }
    held.delete(id);
    const focused = body.contains(document.activeElement) ? document.activeElement.closest("[data-key]") : null;
    const scrolled = new Map(keyed(body).map((one) => [one.dataset.key, one.scrollLeft]));
    body.innerHTML = html;
    body.dataset.html = html;
    keyed(body).forEach((one) => {
      if (one.tagName === "DETAILS" && opened.has(one.dataset.key)) one.open = opened.get(one.dataset.key);
      if (scrolled.get(one.dataset.key)) one.scrollLeft = scrolled.get(one.dataset.key);
      if (focused && one.dataset.key === focused.dataset.key) (one.querySelector(":scope > summary") || one).focus({ preventScroll: true });
    });
  }

  function text(id, value) {
    if (byId(id).textContent !== value) byId(id).textContent = value;
  }

  async function look() {
    try {
      const answer = await fetch("/view", { cache: "no-store", signal: AbortSignal.timeout(15000) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const view = await answer.json();
      document.title = `Fairlead: ${view.verdict}`;
      text("verdict", view.verdict);
      byId("verdict").className = `verdict ${view.well ? "well" : "ill"}`;
      text("source", view.source);
      text("moment", `as of ${view.moment}`);
      Object.entries(view.sections).forEach(([id, html]) => put(id, html));
      view.charts.charts.forEach((chart) => { draw(chart, view.charts.times); tell(chart); });
      document.body.dataset.looked = String(Number(document.body.dataset.looked || 0) + 1);
    } catch (problem) {
      text("verdict", `fairlead console does not answer (${problem.message}); what follows is old`);
      byId("verdict").className = "verdict ill";
    }
    window.setTimeout(look, EVERY_MS);
  }

  document.addEventListener("selectionchange", () => {
    if (window.getSelection().isCollapsed) held.forEach((html, id) => put(id, html));
  });
  document.addEventListener("click", (event) => {
    const summary = event.target.closest("summary"); // also what the keyboard does to one
    if (summary) opened.set(summary.parentElement.dataset.key, !summary.parentElement.open);
  });
  new ResizeObserver(() => plots.forEach(({ plot }, name) => {
    const place = byId(`chart-${name}`);
    plot.setSize({ width: place.clientWidth, height: place.clientHeight });
  })).observe(document.documentElement);
  look();
})();
