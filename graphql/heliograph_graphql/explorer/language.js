// GraphQL text: tokens, colours, indentation, and what may stand at the cursor. Pure: text in, values out.

const TOKEN = /(#[^\n]*)|("""[\s\S]*?(?:"""|$)|"(?:\\.|[^"\\\n])*"?)|(\$[_A-Za-z]\w*)|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([_A-Za-z]\w*)|(\.\.\.|[{}()[\]:=!|@&])|([\s,]+)|(.)/g;
const KINDS = ["comment", "text", "variable", "number", "name", "sign", "space", "other"];
const WORDS = new Set(["query", "subscription", "mutation", "fragment", "on", "true", "false", "null"]);

export function tokens(text) {
  const found = [];
  for (const match of text.matchAll(TOKEN)) {
    const index = match.slice(1).findIndex((part) => part !== undefined);
    found.push({ kind: KINDS[index], text: match[0], at: match.index });
  }
  return found;
}

export const escape = (text) => text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);

export function colour(text) {
  return tokens(text).map(({ kind, text: part }) => {
    const name = kind === "name" && (WORDS.has(part) || /^[A-Z_]+$/.test(part)) ? "word" : kind;
    const plain = ["space", "sign", "other"].includes(name);
    return plain ? escape(part) : `<span class="t-${name}">${escape(part)}</span>`;
  }).join("");
}

export function colourJson(text) {
  return escape(text).replace(/("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\b\d+(?:\.\d+)?\b/g, (all, string, colon, word) => {
    if (string) return colon ? `<span class="t-name">${string}</span>${colon}` : `<span class="t-text">${string}</span>`;
    return `<span class="t-${word ? "word" : "number"}">${all}</span>`;
  });
}

// Indents by braces; comments keep lines of their own and what stands in parentheses stays on its line.
export function tidy(text) {
  let out = "", depth = 0, inside = 0, fresh = true, last = "";
  const line = () => { out = out.trimEnd() + "\n" + "  ".repeat(depth); fresh = true; };
  for (const { kind, text: part } of tokens(text)) {
    if (kind === "space") continue;
    if (kind === "comment") { if (!fresh) line(); out += part; line(); last = ""; continue; }
    if (part === "}" && !inside) { depth = Math.max(0, depth - 1); line(); out += part; if (depth) line(); else out += "\n\n"; fresh = true; last = part; continue; }
    if (part === "{" && !inside) { out += (fresh ? "" : " ") + part; depth += 1; line(); last = part; continue; }
    if ("([".includes(part)) inside += 1;
    if (")]".includes(part)) inside -= 1;
    if (part === "{") inside += 1;
    if (part === "}") inside -= 1;
    const glued = fresh || "([@!".includes(last) || "([)]:!".includes(part) || last === "..." && kind === "name" && part !== "on";
    const starts = !inside && !fresh && (kind === "name" || part === "...") && ![":", "@", "...", "on"].includes(last) && depth > 0;
    if (starts) line();
    out += (starts || glued ? "" : inside && kind === "name" && last && !"{:".includes(last) && last !== "=" ? ", " : " ") + part;
    fresh = false;
    last = part;
  }
  return out.trim() + "\n";
}

const bare = (type) => { while (type && type.ofType) type = type.ofType; return type?.name; };
export const written = (type) => type.kind === "NON_NULL" ? `${written(type.ofType)}!` : type.kind === "LIST" ? `[${written(type.ofType)}]` : type.name;

// What may stand at `at`: {from, words: [{name, type, description}]}. types: the schema's types by name.
export function complete(text, at, types, roots) {
  const before = tokens(text.slice(0, at)).filter((t) => !["space", "comment"].includes(t.kind));
  let prefix = "";
  const tail = before.at(-1);
  if (tail && tail.kind === "name" && tail.at + tail.text.length === at) { prefix = tail.text; before.pop(); }
  const stack = [];
  let scope = null, field = null, argument = null, operation = roots.query;
  for (let i = 0; i < before.length; i += 1) {
    const { kind, text: part } = before[i];
    const next = before[i + 1]?.text;
    if (part === "{" && scope?.kind !== "arguments" && scope?.kind !== "input") {
      stack.push(scope);
      scope = { kind: "selection", type: stack.length === 1 ? operation : field ? bare(field.type) : scope?.type };
      field = null;
    } else if (part === "{") {
      stack.push(scope); scope = { kind: "input", type: bare(argument?.type) };
    } else if (part === "(" && scope) {
      stack.push(scope); scope = { kind: "arguments", field }; argument = null;
    } else if (part === "(") { stack.push(scope); scope = { kind: "definitions" };
    } else if (part === "}" || part === ")") {
      if (scope?.kind === "selection") field = null;
      if (scope?.kind === "arguments") field = scope.field;
      scope = stack.pop() ?? null;
    } else if (kind === "name" && !scope) {
      if (["query", "subscription"].includes(part)) operation = roots[part];
      if (before[i - 1]?.text === "on") operation = part;
    } else if (kind === "name" && scope.kind === "selection" && next !== ":") {
      if (before[i - 1]?.text === "on") field = { type: { name: part } };
      else field = types[scope.type]?.fields?.find((f) => f.name === part) ?? null;
    } else if (kind === "name" && next === ":") {
      const known = scope.kind === "arguments" ? scope.field?.args : types[scope.type]?.inputFields;
      argument = known?.find((a) => a.name === part) ?? null;
    }
  }
  const from = at - prefix.length;
  const filter = (list) => (list ?? []).filter((w) => w.name.toLowerCase().startsWith(prefix.toLowerCase()) && w.name !== prefix);
  const value = before.at(-1)?.text === ":" || before.at(-1)?.text === "[";
  if (!scope) return { from, words: filter([{ name: "query" }, { name: "subscription" }]) };
  if (value && argument) {
    const type = types[bare(argument.type)];
    return { from, words: filter(type?.enumValues ?? (type?.name === "Boolean" ? [{ name: "true" }, { name: "false" }] : [])) };
  }
  if (scope.kind === "selection") return { from, words: filter(types[scope.type]?.fields) };
  if (scope.kind === "arguments") return { from, words: filter(scope.field?.args) };
  return { from, words: filter(types[scope.type]?.inputFields) };
}
