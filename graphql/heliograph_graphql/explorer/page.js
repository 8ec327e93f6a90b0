// The page itself: editor, run and stop, results, schema, history.

import { ask, follow } from "./client.js";
import { examples, introspection } from "./examples.js";
import { colour, colourJson, complete, escape, tidy, tokens, written } from "./language.js";

const $ = (id) => document.getElementById(id);
const [query, variables, result, state, run, hints] = ["query", "variables", "result", "state", "run", "hints"].map($);
const MOST_MESSAGES = 200;
let stop = null, types = {}, roots = { query: "Query", subscription: "Subscription" }, count = 0;

// -- editor

function paint() {
  $("colours").innerHTML = colour(query.value) + "\n";
  $("colours").scrollTop = query.scrollTop;
  $("colours").scrollLeft = query.scrollLeft;
}

function load(text, given) {
  query.value = text;
  variables.value = given && Object.keys(given).length ? JSON.stringify(given, null, 2) : "";
  hideHints();
  paint();
}

function insert(text, from = query.selectionStart, to = query.selectionEnd) {
  query.setRangeText(text, from, to, "end");
  paint();
}

function suggest(explicit) {
  const at = query.selectionStart;
  const { from, words } = complete(query.value, at, types, roots);
  if (!words.length || (!explicit && from === at)) return hideHints();
  hints.innerHTML = words.slice(0, 60).map((word, index) =>
    `<li role="option" aria-selected="${index === 0}" title="${escape(word.description ?? "").replace(/"/g, "&quot;")}">${word.name} <small>${word.type ? escape(written(word.type)) : ""}</small></li>`).join("");
  const lines = query.value.slice(0, from).split("\n");
  hints.style.top = `${Math.max(0, lines.length * 20.15 + 16 - query.scrollTop)}px`;
  hints.style.left = `${Math.min(lines.at(-1).length * 7.85 + 16 - query.scrollLeft, Math.max(0, query.clientWidth - 400))}px`;
  hints.dataset.from = from;
  hints.hidden = false;
}

const hideHints = () => { hints.hidden = true; };
const chosen = () => hints.querySelector('[aria-selected="true"]');
function move(step) {
  const all = [...hints.children];
  const next = all[(all.indexOf(chosen()) + step + all.length) % all.length];
  chosen().setAttribute("aria-selected", "false");
  next.setAttribute("aria-selected", "true");
  next.scrollIntoView({ block: "nearest" });
}
function accept(item) {
  insert(item.firstChild.textContent.trim(), Number(hints.dataset.from), query.selectionStart);
  hideHints();
  query.focus();
}

query.addEventListener("input", (event) => { paint(); suggest(event.data === "{" ); });
query.addEventListener("scroll", paint);
query.addEventListener("blur", () => setTimeout(hideHints, 150));
hints.addEventListener("mousedown", (event) => { event.preventDefault(); const item = event.target.closest("li"); if (item) accept(item); });
query.addEventListener("keydown", (event) => {
  if (event.key === " " && event.ctrlKey) { event.preventDefault(); suggest(true); return; }
  if (!hints.hidden) {
    const actions = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => accept(chosen()), Tab: () => accept(chosen()), Escape: hideHints };
    if (actions[event.key] && !event.ctrlKey) { event.preventDefault(); actions[event.key](); return; }
  }
  if (event.key === "Tab") { event.preventDefault(); insert("  "); }
  if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    const before = query.value.slice(0, query.selectionStart);
    const indent = /[^\S\n]*/.exec(before.split("\n").at(-1))[0] + (/[{([]\s*$/.test(before) ? "  " : "");
    insert("\n" + indent);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); start(); }
});

// -- run

function show(text, note) {
  const block = document.createElement("div");
  block.innerHTML = (note ? `<div class="when">${escape(note)}</div>` : "") + colourJson(text);
  return block;
}

const pretty = (text) => { try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; } };

function running(on) {
  run.textContent = on ? "■ Stop" : "▶ Run";
  $("clear").hidden = !on;
}

async function start() {
  if (stop) { stop(); return; }
  let given;
  try { given = variables.value.trim() ? JSON.parse(variables.value) : {}; } catch (error) { state.textContent = `Variables are no JSON: ${error.message}`; return; }
  remember(query.value, given);
  const live = tokens(query.value).find((t) => t.kind === "name" || t.text === "{")?.text === "subscription";
  result.replaceChildren();
  const began = performance.now();
  if (!live) {
    state.textContent = "Running…";
    try {
      const text = await ask(query.value, given);
      result.replaceChildren(show(pretty(text)));
      state.textContent = `${Math.round(performance.now() - began)} ms · ${(text.length / 1024).toFixed(1)} KiB`;
    } catch (error) { state.textContent = `No answer: ${error.message}`; }
    return;
  }
  count = 0;
  running(true);
  state.textContent = "Connecting…";
  stop = follow(query.value, given, {
    open: () => { state.textContent = "Live. Waiting for the next commit…"; },
    next: (payload) => {
      count += 1;
      const block = show(JSON.stringify(payload, null, 2), `#${count} · ${new Date().toLocaleTimeString()}`);
      block.className = "message";
      result.prepend(block);
      while (result.childElementCount > MOST_MESSAGES) result.lastChild.remove();
      state.textContent = `Live · ${count} message${count === 1 ? "" : "s"}`;
    },
    error: (errors) => { result.prepend(show(JSON.stringify({ errors }, null, 2))); state.textContent = "Refused"; },
    lost: (code, reason) => { state.textContent = `Connection lost (${code}${reason ? `, ${reason}` : ""}); connecting again…`; },
    done: () => { stop = null; running(false); if (state.textContent.startsWith("Live")) state.textContent = `Stopped · ${count} messages`; },
  });
}

run.addEventListener("click", start);
$("clear").addEventListener("click", () => result.replaceChildren());
$("tidy").addEventListener("click", () => { query.value = tidy(query.value); paint(); });
$("share").addEventListener("click", async () => {
  const link = new URL(location.href);
  link.hash = encodeURIComponent(JSON.stringify({ query: query.value, variables: variables.value }));
  history.replaceState(null, "", link);
  try { await navigator.clipboard.writeText(link.href); state.textContent = "Link copied"; } catch { state.textContent = "The address bar holds the link"; }
});

// -- side panels

for (const tab of document.querySelectorAll(".tabs button")) {
  tab.addEventListener("click", () => {
    for (const other of document.querySelectorAll(".tabs button")) {
      other.setAttribute("aria-selected", String(other === tab));
      $(other.dataset.panel).hidden = other !== tab;
    }
  });
}

function entry(title, about, action) {
  const button = document.createElement("button");
  button.innerHTML = `${title}<small>${escape(about)}</small>`;
  button.addEventListener("click", action);
  return button;
}

for (const example of examples) {
  const title = example.live ? `<span class="live">●</span> ${example.name}` : example.name;
  $("examples").append(entry(title, example.about, () => { if (stop) stop(); load(example.query, example.variables); start(); }));
}

const remembered = () => { try { return JSON.parse(localStorage.getItem("heliograph.history") ?? "[]"); } catch { return []; } };
function remember(text, given) {
  const list = [{ text, given }, ...remembered().filter((item) => item.text !== text)].slice(0, 30);
  localStorage.setItem("heliograph.history", JSON.stringify(list));
  showHistory();
}
function showHistory() {
  const list = remembered();
  $("history").replaceChildren(...list.map(({ text, given }) => {
    const name = /(?:query|subscription)\s+(\w+)/.exec(text)?.[1] ?? "unnamed";
    return entry(escape(name), text.replace(/\s+/g, " ").slice(0, 70), () => { if (stop) stop(); load(text, given); });
  }));
  if (!list.length) $("history").textContent = "What you run is kept here, in this browser only.";
}

function showType(name) {
  const type = types[name];
  const panel = $("schema");
  panel.replaceChildren();
  const back = document.createElement("p");
  for (const root of Object.values(roots)) back.append(link(root), " ");
  panel.append(back);
  const title = document.createElement("h2");
  title.textContent = type.name;
  const about = document.createElement("p");
  about.textContent = type.description ?? "";
  const list = document.createElement("dl");
  for (const item of type.fields ?? type.inputFields ?? type.enumValues ?? []) {
    const term = document.createElement("dt");
    term.append(item.name);
    if (item.args?.length) term.append(`(${item.args.map((a) => a.name).join(", ")})`);
    if (item.type) { term.append(": ", link(written(item.type).replace(/[[\]!]/g, ""), written(item.type))); }
    const text = document.createElement("dd");
    text.textContent = item.description ?? "";
    list.append(term, text);
    for (const argument of item.args ?? []) {
      const line = document.createElement("dd");
      line.append(`· ${argument.name}: `, link(written(argument.type).replace(/[[\]!]/g, ""), written(argument.type)));
      list.append(line);
    }
  }
  panel.append(title, about, list);
  panel.scrollTop = 0;
}
function link(name, text = name) {
  const button = document.createElement("button");
  button.textContent = text;
  button.style.cssText = "border:0;padding:0;background:none;color:var(--name);font-family:var(--mono);font-size:12px";
  button.addEventListener("click", () => showType(name));
  return button;
}

// -- start

async function learn() {
  const answer = JSON.parse(await ask(introspection));
  const schema = answer.data?.__schema;
  if (!schema) { $("schema").textContent = answer.errors?.[0]?.message ?? "The schema is not served."; return; }
  types = Object.fromEntries(schema.types.map((type) => [type.name, type]));
  roots = { query: schema.queryType.name, subscription: schema.subscriptionType?.name };
  showType(roots.query);
}

async function watch() {
  try {
    const answer = await fetch("/ready").then((response) => response.json());
    if (!answer.ready) { $("health").textContent = `Not ready: ${answer.reason}`; return; }
    const { data } = JSON.parse(await ask("{ status { streams { name headSlot completeThrough gaps } } }"));
    $("health").textContent = data.status.streams.map((s) => `${s.name}: slot ${s.headSlot ?? "–"}, complete through ${s.completeThrough ?? "–"}${s.gaps ? `, ${s.gaps} gaps` : ""}`).join(" · ");
  } catch (error) { $("health").textContent = `The server does not answer (${error.message})`; }
}

let opened = null;
try { opened = JSON.parse(decodeURIComponent(location.hash.slice(1))); } catch { opened = null; }
if (opened?.query) { load(opened.query); variables.value = opened.variables ?? ""; } else { load(examples[0].query); start(); }
showHistory();
learn().catch((error) => { $("schema").textContent = `The schema could not be read: ${error.message}`; });
watch();
setInterval(watch, 5000);
