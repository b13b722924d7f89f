// The rows of a report: searched, filtered, ordered, shown. It must never change what a row says.
"use strict";

const RANKS = { rejected: 0, failed: 0, in_doubt: 0, pending: 1 };
const ORDERS = {
  problems: "Problems first",
  row: "Row in the file",
  status: "Outcome",
  problem: "Problem",
  id: "Id",
  attempts: "Attempts",
  http_status: "Answer",
};

class Rows {
  constructor(rows, facts) {
    this.rows = rows;
    this.facts = facts;
    this.spoken = new Map(facts.spoken);
    this.texts = null;
    this.places = new Map(facts.sources.map((one, number) => [placeKey(one.file, one.sheet), number]));
    this.table = rows.map((row) => this.places.get(placeKey(row.file, row.sheet)) ?? 0);
    this.filter = { words: "", statuses: new Set(), source: "", only: null };
    this.order = { by: "problems", down: false };
    this.numbers = new Map();
    rows.forEach((row, index) => {
      for (const number of row.rows ?? [row.row]) this.numbers.set(numberKey(row.file, number, row.sheet), index);
    });
    // A column that says the same everywhere says nothing.
    const tells = (name) => new Set(rows.map((row) => row[name] || null).filter(Boolean)).size > 1;
    const more = ["attempts", "http_status"].filter(tells);
    const ids = rows.some((row) => row.id !== null) ? ["id"] : [];
    this.columns = ["status", "row", "problem", ...ids, ...more];
    this.view = new LongTable(byId("scroller"), byId("body"), {
      cells: (element, index) => this.fill(element, index),
      detail: (index) => this.detail(index),
      columns: () => this.columns.length,
    });
    this.makeTools();
    this.makeHeads();
    this.apply();
  }

  makeTools() {
    const counts = new Map();
    for (const row of this.rows) counts.set(row.status, (counts.get(row.status) ?? 0) + 1);
    for (const [status, words] of this.spoken) {
      if (!counts.has(status)) continue;
      const chip = made("button", { type: "button", class: "chip", "aria-pressed": "false", "data-status": status });
      chip.append(made("span", { class: "dot is-" + status }), " " + words + " ");
      chip.append(made("span", { class: "faint" }, counted(counts.get(status))));
      chip.addEventListener("click", () => {
        if (!this.filter.statuses.delete(status)) this.filter.statuses.add(status);
        this.apply();
      });
      byId("statuses").append(chip);
    }
    if (this.facts.sources.length > 1) {
      byId("grid").classList.add("many-sources");
      byId("sources-label").hidden = false;
      byId("sources").append(made("option", { value: "" }, "All sources"));
      this.facts.sources.forEach((one, number) => byId("sources").append(made("option", { value: number }, placeName(one))));
      byId("sources").addEventListener("change", (event) => {
        this.filter.source = event.target.value;
        this.apply();
      });
    }
    for (const [by, words] of Object.entries(ORDERS)) {
      if (by === "problems" || this.columns.includes(by)) byId("order").append(made("option", { value: by }, words));
    }
    byId("order").addEventListener("change", (event) => this.sort(event.target.value, false));
    let waiting = 0;
    byId("search").addEventListener("input", (event) => {
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(() => {
        this.filter.words = event.target.value;
        this.apply();
      });
    });
    byId("clear").addEventListener("click", () => this.clear());
  }

  makeHeads() {
    const titles = { status: "Outcome", row: "Row", problem: "Problem", id: "Id", attempts: "Tries", http_status: "Answer" };
    for (const name of this.columns) {
      const button = made("button", { type: "button" }, titles[name]);
      button.addEventListener("click", () => this.sort(name, this.order.by === name && !this.order.down));
      const head = made("th", { role: "columnheader", scope: "col", class: "at-" + name, "data-name": name }, button);
      byId("heads").append(head);
    }
  }

  sort(by, down) {
    this.order = { by, down };
    byId("order").value = by;
    this.apply();
  }

  clear() {
    this.filter = { words: "", statuses: new Set(), source: "", only: null };
    byId("search").value = "";
    if (this.facts.sources.length > 1) byId("sources").value = "";
    this.apply();
  }

  showOnly(only) {
    this.clear();
    this.filter.only = only;
    this.apply();
  }

  apply() {
    const { words, statuses, source, only } = this.filter;
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    if (wanted.length && !this.texts) this.texts = this.rows.map(searchedText);
    const found = [];
    for (let index = 0; index < this.rows.length; index++) {
      if (statuses.size && !statuses.has(this.rows[index].status)) continue;
      if (source !== "" && this.table[index] !== Number(source)) continue;
      if (only && !this.rows[index].issues.some((issue) => isOfKind(issue, only))) continue;
      if (wanted.length && !wanted.every((word) => this.texts[index].includes(word))) continue;
      found.push(index);
    }
    this.view.show(this.sorted(found));
    this.tell(found.length);
  }

  sorted(found) {
    const { by, down } = this.order;
    if (by === "problems") return found;
    const key = this.keys(by);
    const place = (index) => this.table[index] * 1e9 + this.rows[index].row;
    const compare = (a, b) => (key[a] < key[b] ? -1 : key[a] > key[b] ? 1 : place(a) - place(b));
    return found.sort(down ? (a, b) => compare(b, a) : compare);
  }

  keys(by) {
    const outcomes = [...this.spoken.keys()];
    if (by === "row") return this.rows.map((row, index) => this.table[index] * 1e9 + row.row);
    if (by === "status") return this.rows.map((row) => outcomes.indexOf(row.status));
    if (by === "problem") return this.rows.map((row) => (row.issues.length ? row.issues[0].code + "\0" + row.issues[0].column : "\uffff"));
    if (by === "id") return this.rows.map((row) => row.id ?? "\uffff");
    return this.rows.map((row) => row[by] ?? 0);
  }

  tell(number) {
    const { words, statuses, source, only } = this.filter;
    const all = !words && !statuses.size && source === "" && !only;
    let text = all ? rowsInWords(number) : `${counted(number)} of ${rowsInWords(this.rows.length)}`;
    if (only) text += ` with ${only.code}` + (only.column ? ` in ${plain(only.column)}` : "");
    byId("shown").textContent = text + (this.facts.left_out ? " on this page" : "");
    byId("clear").hidden = all;
    byId("grid").setAttribute("aria-rowcount", number + 1);
    for (const chip of document.querySelectorAll(".chip")) {
      chip.setAttribute("aria-pressed", String(statuses.has(chip.dataset.status)));
    }
    for (const head of byId("heads").children) {
      const here = head.dataset.name === this.order.by;
      if (here) head.setAttribute("aria-sort", this.order.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  /** The row with this number; undefined where the page does not hold it. `cell` tells which sheet. */
  at(file, number, cell) {
    const sheet = cell && cell.includes("!") ? cell.slice(0, cell.lastIndexOf("!")) : null;
    const [only] = this.facts.sources;
    return this.numbers.get(numberKey(file, number, sheet ?? (this.facts.sources.length === 1 ? only.sheet : null)));
  }

  has(only) {
    return this.rows.some((row) => row.issues.some((issue) => isOfKind(issue, only)));
  }

  reveal(index) {
    if (!this.view.order.includes(index)) this.clear();
    byId("scroller").scrollIntoView({ block: "nearest" });
    this.view.reveal(this.view.order.indexOf(index), { open: true });
  }

  anchor(index) {
    return `#row-${this.table[index] + 1}-${this.rows[index].row}`;
  }

  follow(hash) {
    const parts = /^#row-(\d+)-(\d+)$/.exec(hash);
    if (!parts) return;
    const index = this.rows.findIndex((row, at) => this.table[at] === parts[1] - 1 && row.row === Number(parts[2]));
    if (index >= 0) this.reveal(index);
  }

  /** The sheet where there is one file, else the file's own name and the sheet. */
  shortPlace(row) {
    const [first] = this.facts.sources;
    if (this.facts.sources.every((one) => one.file === first.file)) return plain(row.sheet ?? "");
    return placeName({ file: row.file.split(/[\\/]/).at(-1), sheet: row.sheet });
  }

  fill(element, index) {
    const row = this.rows[index];
    for (const name of this.columns) {
      const cell = made("td", { role: "cell", class: "at-" + name });
      element.append(cell);
      if (name === "status") {
        cell.append(made("span", { class: "dot is-" + row.status }), " " + this.spoken.get(row.status));
      } else if (name === "row") {
        cell.append(made("a", { href: this.anchor(index), tabindex: "-1" }, counted(row.row)));
        if (this.facts.sources.length > 1) cell.append(made("span", { class: "faint" }, " " + this.shortPlace(row)));
      } else if (name === "problem") {
        this.fillProblem(cell, row, index);
      } else if (row[name]) {
        cell.append(name === "id" ? made("code", {}, plain(row.id)) : String(row[name]));
      }
    }
  }

  fillProblem(cell, row, index) {
    const [first] = row.issues;
    if (!first) return;
    if (first.cell) cell.append(made("a", { href: this.anchor(index), class: "cell", tabindex: "-1" }, shortAddress(first.cell)), " ");
    cell.append(made("span", { class: first.severity }, plain(first.message)));
    const more = row.issues.length - 1 + (row.more_issues ?? 0);
    if (more) cell.append(made("span", { class: "faint more-issues" }, ` +${more}`));
  }

  detail(index) {
    const row = this.rows[index];
    const facts = made("dl", { class: "row-facts" });
    const add = (name, ...what) => facts.append(made("div", {}, made("dt", {}, name), made("dd", {}, ...what)));
    add("Where", made("bdi", {}, placeName(row)), `, ${row.rows ? "rows " + row.rows.join(", ") : "row " + row.row}`);
    if (row.id) add("Id", made("code", {}, plain(row.id)), " ", copyButton(row.id, "the id"));
    if (row.run) add("Run", row.run.status);
    if (row.attempts) add("Tries", String(row.attempts));
    if (row.http_status) add("Answer of the API", String(row.http_status));
    const list = made("ul", { class: "issues" });
    for (const issue of row.issues) list.append(this.issue(issue, index));
    if (row.more_issues) list.append(made("li", { class: "faint" }, `${row.more_issues} more are in results.jsonl.`));
    const copy = this.facts.sources[this.table[index]].copy;
    if (copy) facts.append(made("div", {}, made("dt", {}, "Workbook"), made("dd", {}, made("a", { href: copy }, "open the marked copy"))));
    return made("div", { class: "inside" }, list, facts);
  }

  issue(issue, index) {
    const copy = this.facts.sources[this.table[index]].copy;
    const item = made("li", { class: issue.severity });
    const line = made("p", {}, made("span", { class: "badge " + issue.severity }, issue.severity === "error" ? "Error" : "Warning"), " ");
    if (issue.cell) {
      const address = copy ? `${copy}#${encodeURIComponent(issue.cell)}` : this.anchor(index);
      line.append(made("a", { href: address, class: "cell" }, plain(issue.cell)), " ", copyButton(issue.cell, "the address"), " ");
    }
    line.append(made("span", {}, plain(issue.message)));
    item.append(line);
    const names = [made("code", {}, issue.code)];
    if (issue.column !== null) names.push(" · column ", made("b", {}, made("bdi", {}, plain(issue.column))));
    if (issue.field !== null) names.push(" · field ", made("code", {}, plain(issue.field)));
    item.append(made("p", { class: "faint" }, ...names));
    if (issue.value !== null) item.append(made("pre", { class: "value" }, made("bdi", {}, plain(issue.value))));
    return item;
  }
}

function searchedText(row) {
  const issues = row.issues.map((one) => [one.code, one.column, one.field, one.cell, one.value, one.message].join("\n"));
  return [row.row, row.status, row.id, row.run?.status, row.file, row.sheet, ...issues].join("\n").toLowerCase();
}

function isOfKind(issue, only) {
  const same = (name) => only[name] === null || issue[name] === only[name];
  return issue.code === only.code && issue.severity === only.severity && same("column") && same("field");
}

function placeKey(file, sheet) {
  return JSON.stringify([file, sheet]);
}

function numberKey(file, number, sheet) {
  return number + "\n" + (sheet ?? "") + "\n" + file;
}

function placeName(one) {
  return plain(one.sheet === null ? one.file : `${one.file}, ${one.sheet}`);
}

function shortAddress(cell) {
  return plain(cell.slice(cell.lastIndexOf("!") + 1));
}

function byId(id) {
  return document.getElementById(id);
}
