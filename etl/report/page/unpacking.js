// Unpacking: the rows as they stand in results.jsonl. It must never make markup of them.
"use strict";

async function unpackedRows() {
  const letters = atob(document.getElementById("packed").textContent);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

const HIDDEN_CHARACTERS = /(?![\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text with the characters spelt out that nobody sees or that turn others round. */
function plain(text) {
  return String(text).replace(HIDDEN_CHARACTERS, (found) => {
    const code = found.codePointAt(0);
    return code < 256 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u" + code.toString(16).padStart(4, "0");
  });
}

/** An element; texts become text, never markup. */
function made(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "onclick") element.addEventListener("click", value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children) element.append(child);
  return element;
}

function counted(number) {
  return number.toLocaleString("en-GB").replaceAll("\u00a0", ",");
}

function rowsInWords(number) {
  return counted(number) + (number === 1 ? " row" : " rows");
}
