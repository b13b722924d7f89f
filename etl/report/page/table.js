// A table of any number of rows, of which only those in sight are elements. It must never know what a row says.
"use strict";

const MARGIN_ROWS = 8;
const PRINTED_ROWS = 200;

/** `cells(index)` fills a row's element, `detail(index)` makes what an open row shows below itself. */
class LongTable {
  constructor(scroller, body, { cells, detail, columns }) {
    this.scroller = scroller;
    this.body = body;
    this.cells = cells;
    this.detail = detail;
    this.columns = columns;
    this.order = [];
    this.current = 0;
    this.open = null; // an index into what `order` holds, not into `order`
    this.openHeight = 0;
    this.printing = false;
    this.first = this.last = -1;
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    scroller.addEventListener("keydown", (event) => this.key(event));
    body.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => this.measure()).observe(scroller);
    window.addEventListener("beforeprint", () => this.print(true));
    window.addEventListener("afterprint", () => this.print(false));
  }

  show(order) {
    this.order = order;
    this.current = 0;
    this.open = null;
    this.openHeight = 0;
    this.scroller.scrollTop = 0;
    this.measure();
  }

  measure() {
    const probe = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const rem = parseFloat(getComputedStyle(this.scroller).getPropertyValue("--row-rem")) || 2.5;
    this.rowHeight = probe * rem;
    this.redraw();
  }

  redraw() {
    this.first = this.last = -1;
    this.draw();
  }

  openPosition() {
    return this.open === null ? -1 : this.order.indexOf(this.open);
  }

  top(position) {
    const openAt = this.openPosition();
    return position * this.rowHeight + (openAt >= 0 && position > openAt ? this.openHeight : 0);
  }

  draw() {
    if (!this.rowHeight) return;
    const count = this.order.length;
    const room = Math.min(this.scroller.clientHeight || 600, 2 * innerHeight);
    let from = this.scroller.scrollTop;
    const openAt = this.openPosition();
    if (openAt >= 0 && from > this.top(openAt) + this.rowHeight) from = Math.max(this.top(openAt), from - this.openHeight);
    let first = Math.max(0, Math.floor(from / this.rowHeight) - MARGIN_ROWS);
    let last = Math.min(count, Math.ceil((from + room) / this.rowHeight) + MARGIN_ROWS);
    if (this.printing) [first, last] = [0, Math.min(count, PRINTED_ROWS)];
    if (first === this.first && last === this.last) return;
    [this.first, this.last] = [first, last];
    const focused = this.body.contains(document.activeElement) && document.activeElement.closest("tr.row");
    const pieces = [];
    pieces.push(this.space(this.top(first)));
    for (let position = first; position < last; position++) {
      pieces.push(this.row(position));
      if (position === openAt) pieces.push(this.opened(this.order[position]));
    }
    const end = count * this.rowHeight + (openAt >= 0 ? this.openHeight : 0);
    pieces.push(this.space(this.printing ? 0 : end - this.top(last)));
    this.body.replaceChildren(...pieces);
    if (focused) this.focus(false);
    this.measureOpen();
  }

  space(height) {
    const cell = made("td", { colspan: this.columns() });
    cell.style.height = Math.max(0, height) + "px";
    const row = made("tr", { class: "space", "aria-hidden": "true" }, cell);
    row.hidden = height <= 0;
    return row;
  }

  row(position) {
    const index = this.order[position];
    const isOpen = index === this.open;
    const row = made("tr", {
      class: "row" + (isOpen ? " opened" : ""),
      role: "row",
      tabindex: position === this.current ? "0" : "-1",
      "aria-rowindex": position + 2,
      "aria-expanded": String(isOpen),
      "data-position": position,
    });
    this.cells(row, index);
    return row;
  }

  opened(index) {
    const cell = made("td", { colspan: this.columns(), role: "cell" }, this.detail(index));
    return made("tr", { class: "detail", role: "row" }, cell);
  }

  measureOpen() {
    const opened = this.body.querySelector("tr.detail");
    if (!opened || this.printing) return;
    const height = opened.getBoundingClientRect().height;
    if (Math.abs(height - this.openHeight) > 1) {
      this.openHeight = height;
      this.redraw();
    }
  }

  toggle(position) {
    const index = this.order[position];
    this.open = this.open === index ? null : index;
    this.openHeight = 0;
    this.current = position;
    this.redraw();
  }

  reveal(position, { open = false } = {}) {
    this.current = position;
    if (open) {
      this.open = this.order[position];
      this.openHeight = 0;
    }
    this.redraw();
    this.scrollTo(position);
    this.redraw();
    this.focus(true);
  }

  scrollTo(position) {
    const head = this.scroller.querySelector("thead").offsetHeight;
    const top = this.top(position);
    const room = this.scroller.clientHeight - head;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + this.rowHeight > this.scroller.scrollTop + room) this.scroller.scrollTop = top + this.rowHeight - room;
    this.draw();
  }

  focus(scrolling) {
    const row = this.body.querySelector(`tr.row[data-position="${this.current}"]`);
    if (row) row.focus({ preventScroll: !scrolling });
  }

  go(position) {
    const before = this.body.querySelector('tr.row[tabindex="0"]');
    if (before) before.tabIndex = -1;
    this.current = Math.min(this.order.length - 1, Math.max(0, position));
    this.scrollTo(this.current);
    const row = this.body.querySelector(`tr.row[data-position="${this.current}"]`);
    if (row) {
      row.tabIndex = 0;
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    }
  }

  key(event) {
    const row = event.target.closest("tr.row");
    if (event.altKey || event.ctrlKey || event.metaKey || !row) return;
    this.current = Number(row.dataset.position);
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.rowHeight) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in moves) {
      this.go(this.current + moves[event.key]);
    } else if ((event.key === "Enter" || event.key === " ") && event.target.matches("tr.row")) {
      this.toggle(this.current);
      this.focus(false);
    } else if (event.key === "Escape" && this.open !== null) {
      this.open = null;
      this.redraw();
      this.focus(false);
    } else return;
    event.preventDefault();
  }

  click(event) {
    const row = event.target.closest("tr.row");
    if (!row || event.target.closest("a, button") || String(getSelection())) return;
    this.toggle(Number(row.dataset.position));
    this.focus(false);
  }

  print(printing) {
    this.printing = printing;
    this.redraw();
    const rest = this.order.length - PRINTED_ROWS;
    byId("printed").textContent = rest > 0 ? `The first ${PRINTED_ROWS} of ${rowsInWords(this.order.length)}; the others are not printed.` : "";
  }
}
