// Shows /v1/openapi.json. Every text is set as text: nothing of the document is taken as HTML.

const METHODS = ["get", "put", "post", "patch", "delete", "head", "options"];

function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content.filter((part) => part !== undefined && part !== null));
  return made;
}

/** A text whose words between backticks are code. */
const words = (text) => (text ?? "").split("`").map((part, n) => (n % 2 ? element("code", {}, part) : part));

const nameOf = (ref) => ref.split("/").pop();

/** A schema in one line, with links to what it refers to. */
function typeOf(schema) {
  if (schema === true || schema === undefined || Object.keys(schema).length === 0) return ["anything"];
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    return [element("a", { href: `#schema-${name}` }, name)];
  }
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((one) => JSON.stringify(one)).join(" | ")];
  const choices = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (choices) return choices.flatMap((one, n) => (n ? [" | ", ...typeOf(one)] : typeOf(one)));
  const types = [schema.type ?? "object"].flat();
  if (types.includes("array")) return ["list of ", ...typeOf(schema.items), ...orNull(types)];
  return [[...types.filter((one) => one !== "null"), schema.format].filter(Boolean).join(", "), ...orNull(types)];
}

const orNull = (types) => (types.includes("null") ? [" or null"] : []);

function row(name, needed, schema, about) {
  return element("tr", {},
    element("td", {}, element("code", needed ? { class: "needed" } : {}, name)),
    element("td", {}, element("span", { class: "type" }, ...typeOf(schema)),
      about ? element("div", {}, ...words(about)) : undefined));
}

function members(schema) {
  const all = Object.entries(schema.properties ?? {});
  const needed = schema.required ?? [];
  return element("table", {}, ...all.map(([name, one]) => row(name, needed.includes(name), one, one.description)));
}

function bodies(content) {
  return Object.entries(content ?? {}).map(([media, { schema }]) =>
    element("div", {}, element("code", {}, media), " ", ...typeOf(schema)));
}

function callers(security) {
  if (!security?.length) return "no credentials";
  return security.map((one) => Object.keys(one).join(" + ")).join(", or ");
}

function operation(path, method, said, root) {
  const parameters = said.parameters ?? [];
  const answers = Object.entries(said.responses).map(([status, answer]) => {
    const named = answer.$ref ? root.components.responses[nameOf(answer.$ref)] : answer;
    return element("tr", {}, element("td", {}, element("code", {}, status)),
      element("td", {}, ...words(named.description), ...bodies(named.content),
        ...Object.entries(named.headers ?? {}).map(([name, header]) =>
          element("div", { class: "type" }, element("code", {}, name), " ", ...words(header.description)))));
  });
  return element("details", { id: said.operationId },
    element("summary", {}, element("span", { class: "method" }, method), element("span", { class: "path" }, path),
      element("span", { class: "words" }, ...words(said.summary))),
    element("div", {},
      element("p", {}, ...words(said.description), " Credentials: ", element("code", {}, callers(said.security)), "."),
      parameters.length ? element("h4", {}, "Parameters") : undefined,
      parameters.length ? element("table", {}, ...parameters.map((one) =>
        row(`${one.name} (${one.in})`, one.required, one.schema, one.description))) : undefined,
      said.requestBody ? element("h4", {}, "Body") : undefined,
      ...bodies(said.requestBody?.content),
      element("h4", {}, "Answers"), element("table", {}, ...answers)));
}

function operations(root) {
  const byTag = new Map(root.tags.map(({ name }) => [name, []]));
  for (const [path, item] of Object.entries(root.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      byTag.get(item[method].tags[0]).push(operation(path, method, item[method], root));
    }
  }
  return [...byTag].map(([tag, all]) =>
    element("section", { id: `tag-${tag}` }, element("h2", {}, tag), ...all));
}

function schemas(root) {
  return Object.entries(root.components.schemas).map(([name, schema]) =>
    element("details", { id: `schema-${name}` },
      element("summary", {}, element("code", {}, name), element("span", { class: "words" }, ...words(schema.description))),
      element("div", {}, ...(schema.oneOf ?? schema.anyOf ?? [schema]).flatMap((one) =>
        one.properties
          ? [...words(one.description), members(one)]
          : [element("div", {}, ...typeOf(one), ...(one !== schema && one.description ? [": ", ...words(one.description)] : []))]))));
}

/** Hides what does not hold every word. */
function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("section")) {
    let shown = 0;
    for (const one of section.querySelectorAll("details")) {
      one.hidden = !words.every((word) => one.textContent.toLowerCase().includes(word));
      shown += one.hidden ? 0 : 1;
    }
    section.hidden = shown === 0;
  }
}

/** Opens what the address names. */
function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) named.open = true;
  named?.scrollIntoView();
}

const root = await (await fetch("/v1/openapi.json")).json();
document.getElementById("about").replaceChildren(
  ...words(root.info.description), " ", element("a", { href: "/v1/openapi.json" }, `OpenAPI ${root.openapi}, version ${root.info.version}`));
document.getElementById("contents").append(...root.tags.map(({ name }) =>
  element("li", {}, element("a", { href: `#tag-${name}` }, name))));
document.getElementById("operations").append(...operations(root));
document.getElementById("schemas").append(...schemas(root));
document.getElementById("find").addEventListener("input", (event) => find(event.target.value));
addEventListener("hashchange", openNamed);
openNamed();
