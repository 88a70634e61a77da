// The page /docs: everything in it that the API says of itself.
import { load, operations } from "./api.js";
import { field, h, prose, table } from "./dom.js";
import { badge, breakable, operationView, who } from "./operation.js";
import { current, follow, logout, renew, use } from "./session.js";
import { accountForm, tour } from "./tour.js";

const place = (id) => document.getElementById(id);
const json = async (path) => (await fetch(path)).json();
const words = (name) => name.replaceAll("_", " ").replace(/^api\b/, "API").replace(/^./, (letter) => letter.toUpperCase());

// --- who is logged in

function sessionPanel() {
  const dialog = place("session");
  const body = place("session-body");
  const button = place("session-button");
  const form = accountForm();
  button.addEventListener("click", () => dialog.showModal());
  place("session-close").addEventListener("click", () => dialog.close());
  // A click beside it closes it, too.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  const said = h("p.soft", { role: "status" });
  const select = h("select", { change: () => use(select.value) });
  let known;
  follow((session) => {
    button.textContent = session ? session.user.name : "Log in";
    button.append(session ? h("small", {}, session.tenant || "default") : "");
    // Made anew for somebody else only, so that the focus stays where it is.
    const key = session && `${session.user.id} ${session.tenants.map(({ slug }) => slug)}`;
    if (key !== known) body.replaceChildren(...(session ? account(session, select, said) : [form]));
    if (Boolean(session) !== Boolean(known)) dialog.close();
    known = key;
    if (!session) return;
    select.value = session.tenant;
    said.textContent = `The access token is renewed automatically; it expires at ${new Date(session.expires).toLocaleTimeString()}.`;
  });
}

function account(session, select, said) {
  const tenants = session.tenants.map(({ slug, name, role }) => h("option", { value: slug }, `${slug} (${name}, ${role})`));
  select.replaceChildren(h("option", { value: "" }, "none: the tenant default"), ...tenants);
  return [
    h("p", {}, h("strong", {}, session.user.name), h("br"), session.user.email),
    field("Tenant in use", select, "Sent as X-Tenant-Slug with every request that accepts it."),
    said,
    h("p.actions", {},
      h("button.quiet", { type: "button", click: logout }, "Log out"),
      h("button.quiet", { type: "button", click: () => renew().catch((error) => current() && (said.textContent = error.message)) }, "Renew the token")),
  ];
}

// --- workflow and access

async function workflow() {
  const [{ transitions }, drawing] = await Promise.all([json("/v1/workflow"), fetch("/docs/workflow.svg").then((answer) => answer.text())]);
  // Its style may not stand in the page (Content-Security-Policy), so it goes where scripts may put some.
  const style = /<style>([^]*)<\/style>/.exec(drawing);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style?.[1] ?? "");
  document.adoptedStyleSheets.push(sheet);
  const parsed = new DOMParser().parseFromString(drawing.replace(style?.[0], ""), "image/svg+xml");
  place("diagram").replaceChildren(document.importNode(parsed.documentElement, true));
  place("transitions").replaceChildren(table("Transitions", ["From", "To", "Lowest role", "Conditions"],
    transitions.map(({ from, to, required_role, guards }) => [h("code", {}, from), h("code", {}, to), required_role, guards.map((guard) => guard.replaceAll("_", " ")).join(", ")])));
}

// Who may call what: a mark for each kind of caller.
function accessTable(all, roles) {
  const callers = ["nobody", "logged in", ...roles, "API key"];
  const mark = ({ rule, role }, caller) => {
    const open = rule === "public" || rule === "anyone_in_tenant";
    if (caller === "API key") return open ? "yes" : rule === "signed_in" ? "" : rule === "in_person" ? "owner’s" : "by its role";
    if (open) return "yes";
    if (caller === "nobody") return "";
    if (rule === "signed_in") return "yes";
    return roles.indexOf(caller) >= roles.indexOf(role) ? "yes" : "";
  };
  const shown = (text) => (text === "yes" ? [h("span", { "aria-hidden": "true" }, "●"), h("span.hidden", {}, "yes")] : text || h("span.hidden", {}, "no"));
  const rows = all.map((operation) => [
    h("a", { href: `#op-${operation.id}` }, badge(operation.method), h("code", {}, breakable(operation.path))),
    ...callers.map((caller) => shown(mark(operation.access, caller))),
  ]);
  place("access-table").replaceChildren(table("Who can call what", ["Route", ...callers.map(words)], rows));
}

// --- the operations, and the way to them

function reference(all, tags) {
  const about = new Map(tags.map((tag) => [tag.name, tag.description]));
  const found = [];
  for (const tag of new Set(all.map(({ tag }) => tag))) {
    const members = all.filter((operation) => operation.tag === tag);
    const views = members.map((operation) => {
      const view = operationView(operation);
      const link = h("li", {}, h("a", { href: `#op-${operation.id}`, title: `${operation.method} ${operation.path}` }, badge(operation.method), operation.summary));
      const text = `${operation.method} ${operation.path} ${operation.summary} ${who(operation.access)} ${operation.id}`.toLowerCase();
      found.push({ view, link, text, tag });
      return { view, link };
    });
    place("operations").append(h("section", { id: `tag-${tag}`, "aria-labelledby": `tag-${tag}-title` },
      h("h2", { id: `tag-${tag}-title` }, words(tag)), prose(about.get(tag)), views.map(({ view }) => view)));
    place("nav-operations").append(h("details", { "data-tag": tag }, h("summary", {}, words(tag)), h("ul", {}, views.map(({ link }) => link))));
  }
  filter(found);
}

function filter(found) {
  const input = place("filter");
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    const left = new Set();
    for (const { view, link, text, tag } of found) {
      const matches = wanted.every((word) => text.includes(word));
      view.hidden = link.hidden = !matches;
      if (matches) left.add(tag), count++;
    }
    for (const group of document.querySelectorAll("#nav-operations > details")) {
      group.hidden = !left.has(group.dataset.tag);
      group.open = wanted.length > 0;
      place(`tag-${group.dataset.tag}`).hidden = group.hidden;
    }
    place("filter-count").textContent = wanted.length ? `${count} of ${found.length} operations` : "";
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
    event.preventDefault();
    place("contents").open = true;
    input.focus();
  });
}

// Opens the operation that the address names.
function goTo() {
  const target = location.hash.startsWith("#op-") && place(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  target.open = true;
  target.hidden = false;
  const link = document.querySelector(`#nav-operations a[href="#${CSS.escape(target.id)}"]`);
  link?.closest("details").setAttribute("open", "");
  // What is in it is made only now.
  requestAnimationFrame(() => target.scrollIntoView());
}

function contents() {
  const details = place("contents");
  const wide = matchMedia("(min-width: 60rem)");
  const follow = () => {
    details.open = wide.matches;
    // There is no room for the whole picture.
    place("transitions-details").open = !wide.matches;
  };
  wide.addEventListener("change", follow);
  follow();
  details.addEventListener("click", (event) => {
    if (!wide.matches && event.target.closest("a")) details.open = false;
  });
}

async function start() {
  contents();
  const [description, { roles }] = await Promise.all([load(), json("/v1/workflow")]);
  place("version").textContent = description.info.version;
  sessionPanel();
  place("tour").replaceChildren(tour());
  const all = operations();
  accessTable(all, roles);
  reference(all, description.tags ?? []);
  await workflow();
  goTo();
  addEventListener("hashchange", goTo);
  document.body.dataset.ready = "yes";
}

start().catch((error) => {
  place("failed").hidden = false;
  console.error(error);
});
