/* app.js - the page at `/`: chat, completion and tokenizer over this server's own routes.
 *
 * What a model says is hostile until proven otherwise: it only ever becomes text nodes, and elements
 * that are made here one by one. Nothing in this file gives text to the HTML parser. Every address
 * is relative, so the page also works under a path behind a proxy. */
"use strict";
(() => {

const $ = id => document.getElementById(id);

/* What stays in the browser. Without storage the page works and forgets. */
const store = {
  get(key, absent) {
    try {
      const text = localStorage.getItem("realizar." + key);
      return text === null ? absent : JSON.parse(text);
    } catch { return absent; }
  },
  set(key, value) {
    try {
      if (value === undefined || value === null) localStorage.removeItem("realizar." + key);
      else localStorage.setItem("realizar." + key, JSON.stringify(value));
    } catch { /* full, or forbidden */ }
  },
};

/* ---- colours: before anything is painted, so this file is read in the head ---- */

const systemDark = matchMedia("(prefers-color-scheme: dark)");
let theme = store.get("theme", null);

function applyTheme() {
  const dark = theme ? theme === "dark" : systemDark.matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  const button = $("theme");
  if (!button) return;
  const what = dark ? "Light colours" : "Dark colours";
  button.replaceChildren(glyph(dark ? "sun" : "moon"));
  button.setAttribute("aria-label", what);
  button.title = what;
}
systemDark.addEventListener("change", applyTheme);

/* ---- elements ---- */

const glyphs = {
  plus: "M12 5v14M5 12h14", up: "M12 19V6M6 11l6-6 6 6", stop: "M7 7h10v10H7z",
  close: "M6 6l12 12M18 6L6 18", moon: "M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.500z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.400M17.6 17.6 19 19M5 19l1.4-1.400M17.6 6.4 19 5",
  sliders: "M4 7h9M19 7h1M16 5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM4 17h1M11 17h9M8 15a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  copy: "M9 9h10v11H9zM5 15V4h10", check: "M5 13l4 4L19 7", edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13", again: "M20 11A8 8 0 1 0 18 17.5M20 5v6h-6",
};

function glyph(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", glyphs[name]);
  svg.append(path);
  return svg;
}

/* make("div", "class", child ...): children are elements or text. */
function make(tag, kind, ...children) {
  const e = document.createElement(tag);
  if (kind) e.className = kind;
  e.append(...children);
  return e;
}

function button(kind, label, action, icon) {
  const b = make("button", kind, icon ? glyph(icon) : label);
  b.type = "button";
  if (icon) {
    b.setAttribute("aria-label", label);
    b.title = label;
  }
  b.addEventListener("click", action);
  return b;
}

/* The clipboard, or on plain http the old way. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { /* not a secure context */ }
  const box = make("textarea", "sr");
  box.value = text;
  document.body.append(box);
  const was = document.activeElement;
  box.select();
  let done = false;
  try { done = document.execCommand("copy"); } catch { /* refused */ }
  box.remove();
  was?.focus();
  return done;
}

async function copyFrom(b, text) {
  const before = [...b.childNodes];
  const done = await copyText(text);
  announce(done ? "Copied" : "The browser does not allow copying");
  b.replaceChildren(b.classList.contains("icon") ? glyph(done ? "check" : "close")
    : done ? "Copied" : "Not allowed");
  setTimeout(() => b.replaceChildren(...before), 1400);
}

const announce = text => { $("announce").textContent = text; };

/* ---- Markdown to elements ---- */

const DEEPEST = 6, LINK_REACH = 2000;

/* Addresses a click may follow; everything else stays text. */
function safeAddress(text) {
  try {
    const address = new URL(text);
    return ["http:", "https:", "mailto:"].includes(address.protocol) ? address.href : null;
  } catch { return null; }
}

function link(address) {
  const a = make("a");
  a.href = address;
  a.target = "_blank";
  a.rel = "noopener noreferrer nofollow";
  return a;
}

const isWord = c => c !== undefined && /[\p{L}\p{N}_]/u.test(c);

/* Where `mark` closes what it opened before `from`, or -1. */
function closing(s, mark, from) {
  for (let at = s.indexOf(mark, from); at >= 0; at = s.indexOf(mark, at + 1)) {
    if (/\s/.test(s[at - 1]) || s[at - 1] === "\\" || at === from) continue;
    if (mark[0] === "_" && isWord(s[at + mark.length])) continue;
    if (mark.length === 1 && s[at + 1] === mark && s[at - 1] !== mark) { at++; continue; }
    return at;
  }
  return -1;
}

const emphasis = [["***", "strong"], ["**", "strong"], ["__", "strong"], ["~~", "del"], ["*", "em"], ["_", "em"]];

/* Appends the line's text to `to`. Marks that were once not closed are not looked for again, so the
 * time stays in proportion to the text. */
function inline(to, s, depth) {
  const missing = new Set();
  let plain = "", i = 0;
  const flush = () => { if (plain) { to.append(plain); plain = ""; } };
  const put = (e, next) => { flush(); to.append(e); i = next; };

  function code() {
    let n = 1;
    while (s[i + n] === "`") n++;
    const mark = s.slice(i, i + n);
    let end = missing.has(mark) ? -1 : s.indexOf(mark, i + n);
    while (end >= 0 && (s[end + n] === "`" || s[end - 1] === "`")) {
      while (s[end] === "`") end++;
      end = s.indexOf(mark, end);
    }
    if (end < 0) {
      missing.add(mark);
      plain += mark;
      i += n;
      return;
    }
    let text = s.slice(i + n, end).replace(/\n/g, " ");
    if (text.trim() && text.startsWith(" ") && text.endsWith(" ")) text = text.slice(1, -1);
    put(make("code", "", text), end + n);
  }

  function strong() {
    for (const [mark, tag] of emphasis) {
      if (!s.startsWith(mark, i) || missing.has(mark) || depth > DEEPEST) continue;
      const from = i + mark.length;
      if (from >= s.length || /\s/.test(s[from]) || (mark[0] === "_" && isWord(s[i - 1]))) continue;
      const end = closing(s, mark, from);
      if (end < 0) { missing.add(mark); continue; }
      const e = make(tag);
      inline(mark === "***" ? e.appendChild(make("em")) : e, s.slice(from, end), depth + 1);
      put(e, end + mark.length);
      return true;
    }
    return false;
  }

  /* [text](address), and ![text](address) as a link too: pictures would ask another server. */
  function bracket(open) {
    const near = s.slice(open, open + LINK_REACH), middle = near.indexOf("](");
    const end = middle < 0 ? -1 : near.indexOf(")", middle);
    if (end < 0) return false;
    const inner = near.slice(1, middle), address = safeAddress(near.slice(middle + 2, end).trim().split(/\s/)[0]);
    if (!address || inner.includes("\n\n") || depth > DEEPEST) return false;
    const a = link(address);
    inline(a, inner || address, DEEPEST + 1);
    put(a, open + end + 1);
    return true;
  }

  function bare() {
    const m = /^https?:\/\/[^\s<>"'`\])]+/.exec(s.slice(i, i + LINK_REACH));
    const text = m && m[0].replace(/[.,;:!?*_~]+$/, ""), address = text && safeAddress(text);
    if (!address || isWord(s[i - 1]) || depth > DEEPEST) return false;
    const a = link(address);
    a.append(text);
    put(a, i + text.length);
    return true;
  }

  while (i < s.length) {
    const c = s[i];
    if (c === "\\" && /[!-/:-@[-`{-~]/.test(s[i + 1] || "")) { plain += s[i + 1]; i += 2; }
    else if (c === "`") code();
    else if (c === "\n") put(make("br"), i + 1);
    else if ((c === "*" || c === "_" || c === "~") && strong()) continue;
    else if (c === "[" && bracket(i)) continue;
    else if (c === "!" && s[i + 1] === "[" && bracket(i + 1)) continue;
    else if (c === "h" && s.startsWith("http", i) && bare()) continue;
    else { plain += c; i++; }
  }
  flush();
}

const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/, HEADING = /^ {0,3}(#{1,6})[ \t]+/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])([ \t]+|$)/, QUOTE = /^ {0,3}> ?/;

const isBlank = line => !line || !line.trim();
const begins = line => FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
const indent = line => line.length - line.trimStart().length;

function cells(line) {
  let text = line.trim();
  if (text.startsWith("|")) text = text.slice(1);
  if (text.endsWith("|") && !text.endsWith("\\|")) text = text.slice(0, -1);
  return text.split(/(?<!\\)\|/).map(cell => cell.trim().replace(/\\\|/g, "|"));
}

/* One block from line `at` on: [line behind it, function that makes the element]. */
function takeBlock(lines, at, depth) {
  const line = lines[at];
  let end = at + 1, m = FENCE.exec(line);
  if (m) {
    const close = new RegExp("^ {0,3}" + (m[1][0] === "`" ? "`" : "~") + "{" + m[1].length + ",}[ \t]*$");
    while (end < lines.length && !close.test(lines[end])) end++;
    const text = lines.slice(at + 1, end), name = m[2].trim().split(/\s/)[0], left = indent(line);
    return [end + 1, () => codeBlock(text.map(l => l.slice(Math.min(left, indent(l)))).join("\n"), name)];
  }
  m = HEADING.exec(line);
  if (m) {
    const text = line.slice(m[0].length).trim().replace(/[ \t]#+$/, ""), level = Math.min(m[1].length + 2, 6);
    return [end, () => lineElement("h" + level, text)];
  }
  if (RULE.test(line)) return [end, () => make("hr")];
  if (QUOTE.test(line) && depth < DEEPEST) {
    while (end < lines.length && QUOTE.test(lines[end])) end++;
    const inner = lines.slice(at, end).map(l => l.replace(QUOTE, ""));
    return [end, () => fill(make("blockquote"), inner, depth + 1)];
  }
  if (ITEM.test(line) && depth < DEEPEST) return takeList(lines, at, depth);
  if (line.includes("|") && end < lines.length && lines[end].includes("|") &&
      cells(lines[end]).every(cell => /^:?-+:?$/.test(cell))) {
    end++;
    while (end < lines.length && !isBlank(lines[end]) && lines[end].includes("|")) end++;
    return [end, () => tableBlock(lines.slice(at, end))];
  }
  while (end < lines.length && !isBlank(lines[end]) && !begins(lines[end])) end++;
  return [end, () => lineElement("p", lines.slice(at, end).map(l => l.trim()).join("\n"))];
}

function lineElement(tag, text) {
  const e = make(tag);
  inline(e, text, 0);
  return e;
}

function takeList(lines, at, depth) {
  const first = ITEM.exec(lines[at]), base = first[1].length, ordered = /\d/.test(first[2]);
  const items = [];
  let end = at, loose = false;
  while (end < lines.length) {
    const line = lines[end], m = ITEM.exec(line);
    if (isBlank(line)) {
      let next = end;
      while (next < lines.length && isBlank(lines[next])) next++;
      const more = next < lines.length && (indent(lines[next]) > base + 1 || (ITEM.test(lines[next]) &&
        indent(lines[next]) >= base && /\d/.test(ITEM.exec(lines[next])[2]) === ordered));
      if (!more) break;
      loose = true;
      for (; end < next; end++) items[items.length - 1].push("");
    } else if (m && m[1].length <= base + 1) {
      if (m[1].length < base || /\d/.test(m[2]) !== ordered || RULE.test(line)) break;
      items.push([line.slice(m[0].length)]);
      items[items.length - 1].left = m[3].length > 4 ? m[1].length + m[2].length + 1 : m[0].length;
      end++;
    } else if (indent(line) > base + 1 || !begins(line)) {
      const item = items[items.length - 1];
      item.push(line.slice(Math.min(indent(line), item.left)));
      end++;
    } else break;
  }
  return [end, () => {
    const list = make(ordered ? "ol" : "ul");
    if (ordered) list.start = Number.parseInt(first[2], 10);
    for (const item of items) {
      const li = fill(make("li"), item, depth + 1), only = li.firstElementChild;
      if (!loose && only?.tagName === "P") only.replaceWith(...only.childNodes);
      list.append(li);
    }
    return list;
  }];
}

function tableBlock(lines) {
  const head = cells(lines[0]), sides = cells(lines[1]), table = make("table"), box = make("div", "table", table);
  const side = i => !sides[i] ? "" : sides[i].endsWith(":") ? (sides[i].startsWith(":") ? "center" : "right") : "";
  const row = (to, texts, tag) => {
    const tr = to.appendChild(make("tr"));
    head.forEach((_, i) => {
      const cell = lineElement(tag, texts[i] || "");
      if (side(i)) cell.style.textAlign = side(i);
      tr.append(cell);
    });
  };
  row(table.appendChild(make("thead")), head, "th");
  const body = table.appendChild(make("tbody"));
  for (const line of lines.slice(2)) row(body, cells(line), "td");
  box.tabIndex = 0;
  return box;
}

const words = new Set(("abstract and as async await bool boolean break case catch char class const continue def default delete " +
  "do double elif else end enum except export extends extern false finally float fn for from func function go if impl import in " +
  "include int interface is lambda let long loop match mod mut new nil None not null or package pass private pub public raise " +
  "return self short signed sizeof static str string struct super switch then this throw throws trait true True False try type " +
  "typedef typeof undefined union unsigned use using var virtual void volatile where while with yield select insert update " +
  "echo fi done local print").split(" "));
const hashNotes = /^(py|python|sh|bash|shell|zsh|console|rb|ruby|yaml|yml|toml|make|makefile|perl|r|dockerfile|conf)$/i;

/* Words, texts, numbers and remarks in colour: enough for any language, exact for none. */
function colour(to, text, language) {
  const note = hashNotes.test(language) ? "#[^\n]*" : /^sql|lua|haskell$/i.test(language) ? "--[^\n]*" : "//[^\n]*|/\\*[^]*?(?:\\*/|$)";
  const pieces = new RegExp(`(${note})|("(?:[^"\\\\\n]|\\\\.)*"?|'(?:[^'\\\\\n]|\\\\.)*'?|\`[^\`]*\`?)|(\\b\\d[\\w.]*)|([A-Za-z_]\\w*)`, "g");
  let at = 0;
  for (const m of text.matchAll(pieces)) {
    const kind = m[1] ? "c" : m[2] ? "s" : m[3] ? "n" : words.has(m[4]) ? "w" : "";
    if (!kind) continue;
    to.append(text.slice(at, m.index), make("span", kind, m[0]));
    at = m.index + m[0].length;
  }
  to.append(text.slice(at));
}

function codeBlock(text, language) {
  const code = make("code"), pre = make("pre", "", code);
  if (language && text.length < 50000 && !/^(text|txt|plain|markdown|md)$/i.test(language)) colour(code, text, language);
  else code.append(text);
  pre.tabIndex = 0;
  const copy = button("", "Copy", () => copyFrom(copy, text));
  copy.setAttribute("aria-label", "Copy the code");
  return make("div", "code", make("div", "code-head", make("span", "", language.slice(0, 40) || "text"), copy), pre);
}

/* Blocks of `lines` into `to`; those whose source has not changed stay the elements they are, so a
 * text that grows keeps its selection and its buttons. */
function fill(to, lines, depth) {
  let at = 0, n = 0;
  const old = to.sources || [], sources = [];
  while (at < lines.length) {
    if (isBlank(lines[at])) { at++; continue; }
    const [end, build] = takeBlock(lines, at, depth), source = lines.slice(at, end).join("\n");
    if (old[n] !== source) {
      const e = build(), was = to.children[n];
      if (was) was.replaceWith(e);
      else to.append(e);
    }
    sources.push(source);
    n++;
    at = end;
  }
  while (to.children.length > n) to.lastElementChild.remove();
  to.sources = sources;
  return to;
}

const prose = (to, text) => fill(to, text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n"), 0);

/* ---- asking the server ---- */

class Trouble extends Error {
  constructor(text, code) { super(text); this.code = code; }
}

async function reason(response) {
  let text = "";
  try {
    const body = JSON.parse(await response.text());
    text = typeof body.error === "string" ? body.error : body.error?.message;
  } catch { /* no JSON */ }
  if (response.status === 401) return "This server asks for an API key. Enter it in the settings.";
  if (response.status === 503) return (text || "The server is busy") + ". Try again in a moment.";
  return text || `The server answered ${response.status} ${response.statusText}`;
}

async function call(path, body, signal) {
  const headers = {}, key = $("api-key").value.trim();
  if (!/^[\x21-\x7e]*$/.test(key)) throw new Trouble("The API key has characters that no key has.", 401);
  if (key) headers.Authorization = "Bearer " + key;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {method: body ? "POST" : "GET", headers, signal, cache: "no-store",
      credentials: "omit", body: body && JSON.stringify(body)});
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Trouble("The server cannot be reached.", 0);
  }
  if (!response.ok) throw new Trouble(await reason(response), response.status);
  return response;
}

/* The data of each event of a stream. */
async function* events(response) {
  const reader = response.body.getReader(), decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const {done, value} = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, {stream: true});
      const parts = rest.split(/\r?\n\r?\n/);
      rest = parts.pop();
      for (const part of parts) {
        const data = part.split(/\r?\n/).filter(l => l.startsWith("data:")).map(l => l.slice(5).trimStart());
        if (data.length) yield data.join("\n");
      }
      if (done) return;
    }
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Trouble("The connection was lost before the answer ended.", 0);
  } finally {
    reader.cancel().catch(() => {});
  }
}

/* Stream an answer; `more(text, thought)` is called with each piece. Returns what can be counted, also after
 * the signal stopped it. */
async function generate(path, body, signal, more) {
  const began = performance.now();
  const seen = {pieces: 0, first: 0, last: 0, usage: null, reason: null, stopped: false};
  const take = choice => {
    const text = choice.delta ? choice.delta.content : choice.text, thought = choice.delta?.reasoning_content;
    if (text || thought) {
      seen.last = performance.now();
      if (!seen.first) seen.first = seen.last;
      seen.pieces++;
      more(text || "", thought || "");
    }
    if (choice.finish_reason) seen.reason = choice.finish_reason;
  };
  try {
    const response = await call(path, {...body, stream: true, stream_options: {include_usage: true}}, signal);
    for await (const data of events(response)) {
      if (data === "[DONE]") break;
      let chunk;
      try { chunk = JSON.parse(data); } catch { throw new Trouble("The server sent something that is no JSON.", 0); }
      if (chunk.error) throw new Trouble(chunk.error.message || String(chunk.error), 0);
      if (chunk.usage) seen.usage = chunk.usage;
      (chunk.choices || []).forEach(take);
    }
    if (!seen.reason) throw new Trouble("The connection ended before the answer did.", 0);
  } catch (e) {
    if (e.name !== "AbortError") throw e;
    seen.stopped = true;
  }
  return {
    prompt: seen.usage?.prompt_tokens, cached: seen.usage?.prompt_tokens_details?.cached_tokens,
    made: seen.usage ? seen.usage.completion_tokens : seen.pieces, exact: !!seen.usage,
    wait: seen.first ? seen.first - began : 0, span: seen.last - seen.first,
    reason: seen.stopped ? "stopped" : seen.reason,
  };
}

const count = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

function statsText(s) {
  const parts = [(s.exact ? "" : "about ") + count(s.made, "token")];
  /* An answer that came in one burst says nothing of the time between its tokens: from the question on, then. */
  const speed = s.span >= 100 ? (s.made - 1) * 1000 / s.span : s.span > 0 ? s.made * 1000 / (s.wait + s.span) : 0;
  if (speed) parts.push(`${speed < 100 ? speed.toFixed(1) : Math.round(speed).toLocaleString("en")} tokens/s`);
  if (s.wait) parts.push(`first after ${s.wait < 1000 ? Math.round(s.wait) + " ms" : (s.wait / 1000).toFixed(1) + " s"}`);
  if (s.prompt) parts.push(`prompt ${s.prompt}` + (s.cached ? `, ${s.cached} known` : ""));
  if (s.reason === "length") parts.push("cut off at the limit");
  if (s.reason === "stopped") parts.push("stopped");
  return parts.join(" · ");
}

function errorBox(text, again) {
  const box = make("div", "error", make("span", "", text));
  box.setAttribute("role", "alert");
  if (again) box.append(button("", "Try again", again));
  return box;
}

function explain(e) {
  if (e.code === 401) {
    openSettings(true);
    $("api-key").focus();
  }
  return e instanceof Trouble ? e.message : "The page failed: " + e.message;
}

/* ---- settings ---- */

/* name, label, lowest, highest, step, what the server does by itself, slider, explanation */
const knobs = [
  ["temperature", "Temperature", 0, 2, .05, "0.7", true, "0 always takes the likeliest token; more is bolder."],
  ["top_p", "Top p", 0, 1, .01, "0.9", true, "Only the likeliest tokens that together make up this share."],
  ["top_k", "Top k", 0, 100000, 1, "40", false, "Only so many of the likeliest tokens; 0 is all."],
  ["min_p", "Min p", 0, 1, .01, "0", true, "None less likely than this share of the likeliest."],
  ["max_tokens", "Longest answer", 1, 1000000, 1, "512", false, "In tokens."],
  ["seed", "Seed", 0, Number.MAX_SAFE_INTEGER, 1, "random", false, "The same seed gives the same answer again."],
];
const inputs = {};

function knob([name, label, min, max, step, standard, slider, about]) {
  const box = make("div", "knob"), title = make("label", "", label), number = make("input");
  Object.assign(number, {type: "number", id: "knob-" + name, min, max, step: slider ? "any" : step, placeholder: standard,
    value: store.get("sampling." + name, "")});
  title.htmlFor = number.id;
  box.append(title, number);
  let range = null;
  if (slider) {
    range = make("input");
    Object.assign(range, {type: "range", min, max, step, value: number.value === "" ? standard : number.value});
    range.setAttribute("aria-label", label + ", slider");
    range.addEventListener("input", () => { number.value = range.value; keep(); });
    box.append(range);
  }
  const note = box.appendChild(make("p", "note", about));
  note.id = number.id + "-note";
  number.setAttribute("aria-describedby", note.id);
  const keep = () => store.set("sampling." + name, number.value === "" ? null : number.value);
  number.addEventListener("input", () => {
    if (range) range.value = number.value === "" ? standard : number.value;
    keep();
  });
  inputs[name] = number;
  return box;
}

/* What is not filled in is left to the server, but for the length: its own is short for a chat. */
function sampling() {
  const out = {max_tokens: 512};
  for (const [name, label] of knobs) {
    const input = inputs[name];
    if (input.validity.badInput || !input.checkValidity())
      throw new Trouble(`${label} must be a number between ${input.min} and ${input.max}.`, 0);
    if (input.value !== "") out[name] = Number(input.value);
  }
  return out;
}

function openSettings(open) {
  $("settings").hidden = !open;
  $("shade").hidden = !open;
  $("settings-open").setAttribute("aria-expanded", String(open));
}

/* ---- the model ---- */

let contextLength = 0, modelAbout = "";

async function loadModels() {
  try {
    const list = (await (await call("v1/models")).json()).data || [], wanted = store.get("model", "");
    $("model").replaceChildren(...list.map(m => {
      const option = make("option", "", m.id);
      option.value = m.id;
      return option;
    }));
    if (list.some(m => m.id === wanted)) $("model").value = wanted;
    const about = (await (await call("models")).json()).models || [];
    const m = about.find(one => one.id === $("model").value) || about[0] || {};
    contextLength = m.context_length || 0;
    modelAbout = [m.name !== "Default Model" && m.name, m.architecture, m.quantization,
      m.parameters && size(m.parameters) + " parameters", contextLength && count(contextLength, "token") + " of context"]
      .filter(Boolean).join(" · ");
    $("model").title = modelAbout;
  } catch (e) {
    modelAbout = explain(e);
  }
  if (!turns.length) draw();
}

const size = n => n >= 1e9 ? (n / 1e9).toFixed(1) + " B" : n >= 1e6 ? (n / 1e6).toFixed(1) + " M" : Math.round(n / 1e3) + " K";

/* ---- chat ---- */

let turns = [], running = null;

function keepTurns() {
  store.set("turns", turns.length ? turns.map(({role, content, thought, stats}) => ({role, content, thought, stats})) : null);
}

const nearEnd = () => { const s = $("chat-scroll"); return s.scrollHeight - s.scrollTop - s.clientHeight < 90; };
const toEnd = () => { const s = $("chat-scroll"); s.scrollTop = s.scrollHeight; };

function welcome() {
  const starts = ["Tell me a short story", "Explain recursion to a child", "Write a haiku about rain"];
  const box = make("div", "welcome", make("h2", "", "What shall we talk about?"), make("p", "", modelAbout));
  box.append(make("div", "starts", ...starts.map(text => button("", text, () => ask(text)))));
  return box;
}

/* Text models put their thoughts in front of the answer. */
function split(turn) {
  const m = /^\s*<think>([^]*?)(?:<\/think>|$)/.exec(turn.content);
  return m ? [(turn.thought || "") + m[1], turn.content.slice(m[0].length)] : [turn.thought || "", turn.content];
}

function drawSaid(turn) {
  const said = turn.said;
  if (turn.role === "user") { said.textContent = turn.content; return; }
  const [thought, answer] = split(turn);
  if (!thought && !answer && turn.busy) {
    said.replaceChildren(make("span", "waiting", make("i"), make("i"), make("i")));
    said.parts = null;
    return;
  }
  if (!said.parts) {
    said.parts = {thought: make("details", "thought", make("summary", "", "Thoughts"), make("div")), answer: make("div", "prose")};
    said.replaceChildren(said.parts.thought, said.parts.answer);
  }
  said.parts.thought.hidden = !thought.trim();
  if (thought) prose(said.parts.thought.lastElementChild, thought);
  prose(said.parts.answer, answer);
}

function drawTurn(turn, at) {
  const box = make("article", "turn " + turn.role), under = make("div", "under");
  box.setAttribute("aria-label", turn.role === "user" ? "You" : "Model");
  turn.box = box;
  turn.said = make("div", "said");
  drawSaid(turn);
  box.append(turn.said);
  if (turn.error) box.append(errorBox(turn.error, () => answer(at)));
  if (!turn.busy) {
    const copy = button("icon", "Copy", () => copyFrom(copy, split(turn)[1].trim()), "copy");
    if (turn.content) under.append(copy);
    under.append(button("icon", "Edit", () => edit(turn), "edit"));
    if (turn.role === "assistant") under.append(button("icon", "Regenerate", () => answer(at), "again"));
    under.append(button("icon", "Delete", () => { if (!running) remove(at); }, "trash"));
    if (turn.stats) under.append(make("span", "stats", statsText(turn.stats)));
  }
  box.append(under);
  return box;
}

function draw() {
  $("turns").replaceChildren(...(turns.length ? turns.map(drawTurn) : [welcome()]));
  const send = $("chat-send"), stop = !!running;
  send.replaceChildren(glyph(stop ? "stop" : "up"));
  send.classList.toggle("stop", stop);
  send.setAttribute("aria-label", stop ? "Stop" : "Send");
  send.title = stop ? "Stop" : "Send";
  send.disabled = !stop && !$("chat-input").value.trim();
  const last = turns.findLast(t => t.stats?.prompt), used = last ? last.stats.prompt + last.stats.made : 0;
  $("context").hidden = !used || !contextLength;
  $("context-bar").value = contextLength ? used / contextLength : 0;
  $("context-text").textContent = `${used.toLocaleString("en")} of ${contextLength.toLocaleString("en")} tokens`;
}

function remove(at) {
  turns.splice(at, 1);
  keepTurns();
  draw();
  $("chat-input").focus();
}

function edit(turn) {
  if (running || turn.box.classList.contains("editing")) return;
  const text = make("textarea", "box"), at = turns.indexOf(turn), user = turn.role === "user";
  text.value = turn.content;
  text.rows = Math.min(14, turn.content.split("\n").length + 1);
  text.setAttribute("aria-label", "Text of this turn");
  const close = () => { draw(); $("chat-input").focus(); };
  const save = () => { turn.content = text.value; turn.thought = ""; keepTurns(); };
  const first = button("primary", user ? "Save and send" : "Save", () => {
    if (running) return;
    save();
    if (user && text.value.trim()) answer(at + 1);
    else close();
  });
  const row = make("div", "row", first);
  if (user) row.append(button("quiet", "Save", () => { save(); close(); }));
  row.append(button("quiet", "Cancel", close));
  text.addEventListener("keydown", e => {
    if (e.key === "Escape") { e.stopPropagation(); close(); }
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) first.click();
  });
  turn.box.classList.add("editing");
  turn.box.insertBefore(make("div", "editor", text, row), turn.said.nextSibling);
  text.focus();
}

function ask(text) {
  if (running || !text.trim()) return;
  turns.push({role: "user", content: text});
  $("chat-input").value = "";
  grow();
  answer(turns.length);
}

/* The model's turn number `at`; what stood there and behind it is gone. */
async function answer(at) {
  if (running) return;
  const turn = {role: "assistant", content: "", thought: "", busy: true};
  const stop = new AbortController();
  let settings, drawn = 0;
  turns.length = at;
  const messages = turns.map(t => ({role: t.role, content: t.role === "user" ? t.content : split(t)[1]}));
  const system = $("system").value.trim();
  if (system) messages.unshift({role: "system", content: system});
  turns.push(turn);
  running = stop;
  draw();
  toEnd();
  const show = () => {
    drawn = 0;
    if (!turn.busy) return;
    const follow = nearEnd();
    drawSaid(turn);
    if (follow) toEnd();
  };
  try {
    settings = sampling();
    turn.stats = await generate("v1/chat/completions", {model: $("model").value || undefined, messages, ...settings},
      stop.signal, (text, thought) => {
        turn.content += text;
        turn.thought += thought;
        drawn ||= requestAnimationFrame(show);
      });
    announce(turn.stats.reason === "stopped" ? "Stopped" : "The answer is complete");
  } catch (e) {
    turn.error = explain(e);
  }
  const follow = nearEnd();
  turn.busy = false;
  running = null;
  keepTurns();
  draw();
  if (follow) toEnd();
}

function grow() {
  const box = $("chat-input");
  box.style.height = "auto";
  box.style.height = Math.min(box.scrollHeight + 2, innerHeight * .4) + "px";
  if (!running) $("chat-send").disabled = !box.value.trim();
}

function startChat() {
  $("turns").removeAttribute("aria-busy");
  turns = store.get("turns", []);
  if (!Array.isArray(turns)) turns = [];
  turns = turns.filter(t => t && typeof t.content === "string" && (t.role === "user" || t.role === "assistant"));
  draw();
  toEnd();
  const input = $("chat-input"), byFinger = matchMedia("(pointer: coarse)");
  input.addEventListener("input", grow);
  input.addEventListener("keydown", e => {
    if (e.key !== "Enter" || e.shiftKey || e.isComposing || byFinger.matches) return;
    e.preventDefault();
    ask(input.value);
  });
  $("chat-form").addEventListener("submit", e => {
    e.preventDefault();
    if (running) running.abort();
    else ask(input.value);
  });
  $("new-chat").addEventListener("click", () => {
    running?.abort();
    turns = [];
    keepTurns();
    showTab("chat");
    draw();
    input.focus();
  });
}

/* ---- completion ---- */

let completing = null, completed = "";

function drawCompletion(prompt) {
  const box = $("completion-output"), idle = !completing;
  box.replaceChildren(...(prompt || completed ? [make("span", "given", prompt), make("span", "made", completed)] : []));
  box.classList.toggle("empty", !prompt && !completed);
  $("completion-run").textContent = idle ? "Complete" : "Stop";
  $("completion-more").disabled = $("completion-clear").disabled = !idle || !completed;
}

async function complete() {
  const prompt = $("completion-prompt").value, stop = new AbortController();
  let drawn = 0;
  completed = "";
  completing = stop;
  $("completion-error").replaceChildren();
  $("completion-stats").textContent = "";
  drawCompletion(prompt);
  try {
    const s = await generate("v1/completions", {model: $("model").value || undefined, prompt, ...sampling()}, stop.signal, text => {
      completed += text;
      drawn ||= requestAnimationFrame(() => { drawn = 0; if (completing === stop) drawCompletion(prompt); });
    });
    $("completion-stats").textContent = statsText(s);
    announce("The completion is finished");
  } catch (e) {
    $("completion-error").replaceChildren(errorBox(explain(e)));
  }
  completing = null;
  drawCompletion(completed ? prompt : "");
}

function startCompletion() {
  const prompt = $("completion-prompt");
  prompt.value = store.get("prompt", prompt.value);
  prompt.addEventListener("input", () => store.set("prompt", prompt.value));
  prompt.addEventListener("keydown", e => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) $("completion-run").click();
  });
  $("completion-form").addEventListener("submit", e => {
    e.preventDefault();
    if (completing) completing.abort();
    else complete();
  });
  $("completion-more").addEventListener("click", () => {
    prompt.value += completed;
    store.set("prompt", prompt.value);
    completed = "";
    drawCompletion("");
    prompt.focus();
  });
  $("completion-clear").addEventListener("click", () => {
    completed = "";
    $("completion-stats").textContent = "";
    drawCompletion("");
  });
  drawCompletion("");
}

/* ---- tokenizer ---- */

const MOST_PIECES = 4000;
let tokenRound = 0, tokenTimer = 0;

/* White space one can see; bytes that are no text by themselves as <C3>. */
function pieceText(piece) {
  const b = make("b");
  if (Array.isArray(piece)) {
    b.append(make("i", "", piece.map(n => "<" + n.toString(16).toUpperCase().padStart(2, "0") + ">").join("")));
    return b;
  }
  for (const part of piece.split(/([ \n\r\t])/))
    if (part) b.append({" ": make("i", "", "·"), "\n": make("i", "", "⏎"), "\r": make("i", "", "␍"), "\t": make("i", "", "⇥")}[part] || part);
  if (!piece) b.append(make("i", "", "∅"));
  return b;
}

async function tokenize() {
  const text = $("token-text").value, round = ++tokenRound, boxes = [$("token-pieces"), $("token-ids")];
  let answer;
  try {
    answer = await (await call("tokenize", {text, with_pieces: true, add_special: $("token-add").checked,
      parse_special: $("token-parse").checked})).json();
  } catch (e) {
    if (round !== tokenRound) return;
    boxes.forEach(box => { box.replaceChildren(); box.classList.add("empty"); });
    $("token-stats").textContent = "";
    $("token-error").replaceChildren(errorBox(explain(e), tokenize));
    return;
  }
  if (round !== tokenRound) return;
  $("token-error").replaceChildren();
  const ids = answer.token_ids, letters = [...text].length;
  $("token-pieces").replaceChildren(...ids.slice(0, MOST_PIECES).map((id, i) => {
    const piece = make("span", "piece", pieceText(answer.pieces[i]), make("small", "", String(id)));
    piece.style.background = `var(--t${i % 6})`;
    piece.title = `token ${id}, number ${i + 1}`;
    return piece;
  }));
  if (ids.length > MOST_PIECES) $("token-pieces").append(make("span", "stats", `and ${ids.length - MOST_PIECES} more`));
  $("token-ids").textContent = ids.join(", ");
  boxes.forEach(box => box.classList.toggle("empty", !ids.length));
  $("token-stats").textContent = count(ids.length, "token") + " · " + count(letters, "character") +
    (ids.length ? ` · ${(letters / ids.length).toFixed(2)} characters per token` : "");
}

function startTokenizer() {
  const later = () => { clearTimeout(tokenTimer); tokenTimer = setTimeout(tokenize, 150); };
  $("token-text").addEventListener("input", later);
  $("token-add").addEventListener("change", tokenize);
  $("token-parse").addEventListener("change", tokenize);
  $("token-copy").addEventListener("click", () => copyFrom($("token-copy"), $("token-ids").textContent));
}

/* ---- the page ---- */

const tabs = ["chat", "completion", "tokenizer"];

function showTab(name) {
  for (const t of tabs) {
    const tab = $("tab-" + t), on = t === name;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    $("panel-" + t).hidden = !on;
  }
  if (location.hash !== "#" + name) history.replaceState(null, "", "#" + name);
  if (name === "tokenizer") tokenize();
  if (name === "chat") { grow(); toEnd(); }
}

function startPage() {
  for (const b of document.querySelectorAll("[data-icon]")) b.append(glyph(b.dataset.icon));
  applyTheme();
  $("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    theme = now === (systemDark.matches ? "dark" : "light") ? null : now;
    store.set("theme", theme);
    applyTheme();
  });
  $("sampling").append(...knobs.map(knob));
  $("sampling-reset").addEventListener("click", () => {
    for (const [name] of knobs) {
      inputs[name].value = "";
      inputs[name].dispatchEvent(new Event("input"));
    }
  });
  for (const id of ["system", "api-key"]) {
    $(id).value = store.get(id, "");
    $(id).addEventListener("input", () => store.set(id, $(id).value || null));
  }
  $("api-key").addEventListener("change", loadModels);
  $("model").addEventListener("change", () => store.set("model", $("model").value));
  $("settings-open").addEventListener("click", () => {
    openSettings($("settings").hidden);
    if (!$("settings").hidden) $("settings-close").focus();
  });
  const closeSettings = () => { openSettings(false); $("settings-open").focus(); };
  $("settings-close").addEventListener("click", closeSettings);
  $("shade").addEventListener("click", closeSettings);
  document.querySelector(".tabs").addEventListener("keydown", e => {
    const at = tabs.findIndex(t => $("tab-" + t).tabIndex === 0);
    const to = {ArrowRight: at + 1, ArrowLeft: at + tabs.length - 1, Home: 0, End: tabs.length - 1}[e.key];
    if (to === undefined) return;
    e.preventDefault();
    showTab(tabs[to % tabs.length]);
    $("tab-" + tabs[to % tabs.length]).focus();
  });
  for (const t of tabs) $("tab-" + t).addEventListener("click", () => showTab(t));
  document.addEventListener("keydown", e => {
    if (e.key !== "Escape") return;
    if (running) running.abort();
    else if (completing) completing.abort();
    else if (!$("settings").hidden) closeSettings();
  });
  addEventListener("resize", grow);
}

applyTheme();
addEventListener("DOMContentLoaded", () => {
  startPage();
  startChat();
  startCompletion();
  startTokenizer();
  showTab(tabs.includes(location.hash.slice(1)) ? location.hash.slice(1) : "chat");
  loadModels();
});
})();
