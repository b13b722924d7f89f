// The course of a job: requests, latency and repeats over time. It must never draw what was not measured.
"use strict";

const CHART_HEIGHT = 190;
const NUMBERED = 24;

function spokenTime(seconds) {
  if (seconds < 60) return (seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)) + " s";
  const minutes = Math.floor(seconds / 60);
  const rest = Math.round(seconds % 60);
  if (minutes < 60) return minutes + " min" + (rest ? " " + rest + " s" : "");
  return Math.floor(minutes / 60) + " h" + (minutes % 60 ? " " + (minutes % 60) + " min" : "");
}

function spokenMs(ms) {
  if (ms === null || ms === undefined) return "–";
  return ms < 1000 ? Math.round(ms) + " ms" : (ms / 1000).toPrecision(3) + " s";
}

function perSecond(value) {
  return value === null || value === undefined ? "–" : value >= 100 ? counted(Math.round(value)) : String(Math.round(value * 10) / 10);
}

/** The charts, drawn anew whenever the width or the colours change. */
class Course {
  constructor(chart) {
    this.chart = chart;
    this.plots = [];
    this.sync = uPlot.sync("course");
    byId("course").hidden = false;
    const [p50, p90, p99] = chart.whole;
    byId("course-words").textContent =
      `Half of the answers took at most ${spokenMs(p50)}, nine of ten ${spokenMs(p90)}, 99 of 100 ${spokenMs(p99)}. ` +
      `Each point stands for ${spokenTime(chart.width_s)}.`;
    this.numbers();
    new ResizeObserver(() => this.fit()).observe(byId("charts"));
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.draw());
    this.draw();
  }

  draw() {
    for (const plot of this.plots) plot.destroy();
    const titles = ["Answers a second", "Time to an answer", "Requests sent again, or unclear"];
    this.boxes = titles.map(() => made("div", { class: "chart", role: "img" }));
    // All have their place before the first is drawn: the place says how wide it is.
    byId("charts").replaceChildren(...titles.map((title, number) => made("figure", {}, made("figcaption", {}, title), this.boxes[number])));
    const { chart } = this;
    const { stored, refused, again, unclear } = chart.counts;
    const at = stored.map((_, number) => (number + 0.5) * chart.width_s);
    const rate = (counts) => counts.map((count) => count / chart.width_s);
    this.plots = [
      this.stacked(0, at, [
        ["stored", rate(stored), "--is-created"],
        ["refused", rate(refused), "--is-failed"],
      ]),
      this.lines(1, at, [
        ["99 of 100", chart.p99_ms, "--line-3"],
        ["9 of 10", chart.p90_ms, "--line-2"],
        ["half", chart.p50_ms, "--line-1"],
      ]),
      this.stacked(2, at, [
        ["sent again", again, "--is-pending"],
        ["unclear", unclear, "--is-in_doubt"],
      ], String),
    ].filter(Boolean);
    this.width = byId("charts").clientWidth;
  }

  fit() {
    if (byId("charts").clientWidth !== this.width) this.draw();
  }

  stacked(number, at, series, spoken = perSecond) {
    const sums = series.map((_, from) => at.map((__, x) => series.slice(from).reduce((sum, one) => sum + one[1][x], 0)));
    const bars = uPlot.paths.bars({ size: [0.86, 60], gap: 0 });
    const drawn = series.map(([label, raw, colour], place) => ({
      label,
      fill: colourOf(colour),
      width: 0,
      paths: bars,
      points: { show: false },
      value: (_, __, ___, x) => (x === null ? "–" : spoken(raw[x])),
      data: sums[place],
    }));
    return this.plot(number, at, drawn, spoken, series);
  }

  lines(number, at, series) {
    const drawn = series.map(([label, data, colour]) => ({
      label,
      stroke: colourOf(colour),
      width: 2,
      spanGaps: true,
      points: { show: false },
      value: (_, value) => spokenMs(value),
      data,
    }));
    return this.plot(number, at, drawn, spokenMs, series);
  }

  plot(number, at, drawn, spoken, series) {
    const ink = colourOf("--faint");
    const grid = { stroke: colourOf("--line"), width: 1 };
    const axis = { stroke: ink, grid, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const box = this.boxes[number];
    if (!series.some(([, values]) => values.some(Boolean))) {
      box.replaceWith(made("p", { class: "none" }, "None, from the beginning to the end."));
      return null;
    }
    box.setAttribute("aria-label", inWords(box.previousSibling.textContent, series, spoken));
    const options = {
      width: Math.max(200, box.clientWidth),
      height: CHART_HEIGHT,
      cursor: { sync: { key: this.sync.key }, drag: { x: false, y: false }, points: { size: 6 } },
      legend: { live: true },
      scales: { x: { time: false, range: [0, at.length * this.chart.width_s] }, y: { range: (_, __, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [
        { ...axis, grid: { show: false }, values: (_, ticks) => ticks.map(spokenTime), space: 70, size: 32 },
        { ...axis, size: 60, values: (_, ticks) => ticks.map((tick) => spoken(tick)) },
      ],
      series: [{ label: "at", value: (_, seconds) => (seconds === null ? "–" : spokenTime(seconds)) }, ...drawn],
    };
    return new uPlot(options, [at, ...drawn.map((one) => one.data)], box);
  }

  /** For who cannot see a chart, or wants to copy it. */
  numbers() {
    const { chart } = this;
    const length = chart.counts.stored.length;
    const step = Math.ceil(length / NUMBERED);
    const body = made("tbody");
    const add = (counts, from) => counts.slice(from, from + step).reduce((sum, count) => sum + count, 0);
    const most = (list, from) => list.slice(from, from + step).reduce((high, one) => (one === null ? high : Math.max(high ?? 0, one)), null);
    for (let from = 0; from < length; from += step) {
      const cells = ["stored", "refused", "again", "unclear"].map((kind) => counted(add(chart.counts[kind], from)));
      cells.push(...[chart.p50_ms, chart.p90_ms, chart.p99_ms].map((list) => spokenMs(most(list, from))));
      const row = made("tr", {}, made("th", { scope: "row" }, spokenTime(from * chart.width_s)));
      for (const cell of cells) row.append(made("td", { class: "right" }, cell));
      body.append(row);
    }
    const head = made("tr");
    for (const title of ["From", "Stored", "Refused", "Sent again", "Unclear", "Half within", "9 of 10 within", "99 of 100 within"]) {
      head.append(made("th", { scope: "col" }, title));
    }
    byId("numbers").append(made("table", {}, made("caption", { class: "unseen" }, "Requests over time"), made("thead", {}, head), body));
  }
}

function inWords(title, series, spoken) {
  const told = series.map(([label, values]) => {
    const known = values.filter((one) => one !== null);
    return `${label} at most ${spoken(Math.max(0, ...known))}`;
  });
  return `${title}: ${told.join(", ")}. The numbers are in the table below.`;
}

function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
