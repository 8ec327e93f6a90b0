// The REST page: a form for each operation of the OpenAPI document.
const make = (name, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
};

const words = (schema) => {
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return `${words(schema.items)}, …`;
  return schema.format ?? schema.type ?? "";
};

const input = (parameter) => {
  const schema = parameter.schema;
  if (schema.enum || schema.type === "boolean") {
    const values = ["", ...(schema.enum ?? [true, false])];
    return make("select", { name: parameter.name, ariaLabel: parameter.name }, ...values.map((value) => make("option", { value, textContent: value })));
  }
  return make("input", { name: parameter.name, ariaLabel: parameter.name, placeholder: schema.default ?? words(schema), required: parameter.required });
};

function address(path, parameters, form) {
  const given = new FormData(form);
  const query = new URLSearchParams();
  let target = path;
  for (const parameter of parameters) {
    const value = given.get(parameter.name)?.trim();
    if (!value) continue;
    if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else query.append(parameter.name, value);
  }
  return query.size ? `${target}?${query}` : target;
}

function section(path, operation) {
  const parameters = operation.parameters;
  const rows = parameters.map((parameter) =>
    make("tr", {}, make("th", { scope: "row", textContent: parameter.name }),
      make("td", {}, input(parameter)), make("td", { textContent: parameter.description ?? "" })));
  const curl = make("pre", { className: "curl" });
  const answer = make("pre", { className: "answer", tabIndex: 0 });
  const form = make("form", {}, make("p", { textContent: operation.description }), make("table", {}, ...rows),
    make("button", { className: "primary", textContent: "▶ Get" }), curl, answer);
  const tell = () => { curl.textContent = `curl '${location.origin}${address(path, parameters, form)}'`; };
  form.addEventListener("input", tell);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    tell();
    try {
      const response = await fetch(address(path, parameters, form));
      const text = await response.text();
      const isJson = response.headers.get("content-type")?.startsWith("application/json");
      const shown = isJson ? JSON.stringify(JSON.parse(text), null, 2) : text;
      answer.textContent = `${response.status} ${response.statusText}  cache-control: ${response.headers.get("cache-control")}\n${shown}`;
    } catch (error) {
      answer.textContent = `the server cannot be reached: ${error.message}`;
    }
  });
  tell();
  return make("details", {}, make("summary", {}, make("code", { textContent: `GET ${path}` }), make("span", { textContent: operation.summary })), form);
}

try {
  const page = await (await fetch("/api/openapi.json")).json();
  document.querySelector("#intro").textContent = page.info.description;
  const sections = Object.entries(page.paths).map(([path, item]) => section(path, item.get));
  sections[0].open = true;
  document.querySelector("#resources").append(...sections);
  document.querySelector("#health").textContent = `${sections.length} resources, version ${page.info.version}`;
} catch (error) {
  document.querySelector("#health").textContent = `the description of the API cannot be read: ${error.message}`;
}
