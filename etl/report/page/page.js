// The page itself: copying, light and dark, links to rows. It must never send anything anywhere.
"use strict";

function copyButton(text, what) {
  const button = made("button", { type: "button", class: "copy small" }, "Copy", made("span", { class: "unseen" }, " " + what));
  button.addEventListener("click", () => copy(text, button));
  return button;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = made("textarea", { class: "unseen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  byId("said").textContent = "Copied.";
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function makeThemes(redraw) {
  const button = byId("theme");
  const label = () => (button.textContent = isDark() ? "Light" : "Dark");
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    label();
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();
}

function makeLinks(rows, groups) {
  for (const link of document.querySelectorAll("a.cell[data-group]")) {
    const { file, row, cell } = groups[link.dataset.group].examples[link.dataset.example];
    const index = rows.at(file, row, cell);
    if (index === undefined) link.replaceWith(...link.childNodes); // no row: a header, or not on this page
    else link.href = rows.anchor(index);
  }
  for (const button of document.querySelectorAll("button.only")) {
    const group = groups[button.dataset.group];
    button.hidden = !rows.has(group);
    button.addEventListener("click", () => {
      rows.showOnly(group);
      byId("rows").scrollIntoView();
      byId("rows").focus({ preventScroll: true });
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    byId("search").focus();
  });
  window.addEventListener("hashchange", () => rows.follow(location.hash));
  rows.follow(location.hash);
}

/** Paper is light, whatever the screen is. */
function makePrint(redraw) {
  const { dataset } = document.documentElement;
  window.addEventListener("beforeprint", () => {
    dataset.printing = "";
    redraw();
  });
  window.addEventListener("afterprint", () => {
    delete dataset.printing;
    redraw();
  });
}

async function start() {
  const facts = JSON.parse(byId("facts").textContent);
  for (const button of document.querySelectorAll(".command .copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button.parentElement.querySelector("code").textContent, button));
  }
  const course = facts.chart ? new Course(facts.chart) : null;
  makeThemes(() => course?.draw());
  makePrint(() => course?.draw());
  byId("table").hidden = false;
  try {
    makeLinks(new Rows(await unpackedRows(), facts), facts.groups);
  } catch (error) {
    byId("table").hidden = true;
    const words = "This browser cannot unpack the rows; results.jsonl beside this page has them all.";
    byId("rows").append(made("p", { class: "note" }, words));
    throw error;
  } finally {
    document.documentElement.dataset.ready = "";
  }
}

start();
