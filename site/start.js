// The page /start: the first steps, and what the API says of its workflow and its access rules.
import { sessionPanel } from "./account.js";
import { operations } from "./api.js";
import { h, table } from "./dom.js";
import { tour } from "./tour.js";

const place = (id) => document.getElementById(id);
const json = async (path) => (await fetch(path)).json();
const words = (name) => name.replaceAll("_", " ").replace(/^api\b/, "API").replace(/^./, (letter) => letter.toUpperCase());
const badge = (method) => h(`span.method.${method.toLowerCase()}`, {}, method);
// A path may be broken before each of its slashes.
const breakable = (path) => path.split(/(?=\/)/).flatMap((part) => [h("wbr"), part]);
// Where the reference has an operation.
const reference = ({ method, path, tag }) => `tag/${tag.replaceAll("_", "-")}/${method}${path}`;

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
    h("a", { href: `/docs#${reference(operation)}` }, badge(operation.method), h("code", {}, breakable(operation.path))),
    ...callers.map((caller) => shown(mark(operation.access, caller))),
  ]);
  place("access-table").replaceChildren(table("Who can call what", ["Route", ...callers.map(words)], rows));
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
  sessionPanel();
  place("tour").replaceChildren(tour());
  const [description, { roles }] = await Promise.all([json("/openapi.json"), json("/v1/workflow")]);
  place("version").textContent = description.info.version;
  accessTable(operations(description), roles);
  await workflow();
  document.body.dataset.ready = "yes";
}

start().catch((error) => {
  place("failed").hidden = false;
  console.error(error);
});
