// Making elements. Text stays text: nothing here reads HTML.

// An element: `h("a.quiet", { href: "/" }, "text", child, ...)`. Functions among the attributes listen.
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat(9).filter((child) => child != null && child !== false));
  return element;
}

// Text in which backticks mark code.
export function inline(text = "") {
  return text.split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part));
}

let count = 0;

// A labelled control; what more there is to say of it is read out with it.
export function field(label, control, hint) {
  control.id ||= `f${++count}`;
  const told = hint && h("span.hint", { id: `${control.id}-hint` }, hint);
  if (told) control.setAttribute("aria-describedby", told.id);
  return h("div.field", {}, h("label", { for: control.id }, label), control, told);
}

// A table that scrolls by itself where there is no room for it.
export function table(label, heads, rows) {
  const body = rows.map((cells) => h("tr", {}, cells.map((cell, at) => (at ? h("td", {}, cell) : h("th", { scope: "row" }, cell)))));
  const head = h("tr", {}, heads.map((text) => h("th", { scope: "col" }, text)));
  return h("div.scroll", { role: "region", "aria-label": label, tabindex: "0" }, h("table", {}, h("thead", {}, head), h("tbody", {}, body)));
}

// A block of code with a button that copies it.
export function code(text, label) {
  const inner = h("code", {}, text);
  const button = h("button.quiet.copy", {
    type: "button",
    "aria-label": `Copy ${label}`,
    click: async () => {
      await navigator.clipboard.writeText(inner.textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    },
  }, "Copy");
  return h("div.code", {}, h("pre", { tabindex: "0", role: "region", "aria-label": label }, inner), navigator.clipboard && button);
}
