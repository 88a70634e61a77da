// The page /docs: the reference of all operations, by Scalar (scalar.js), whose requests are sent in the name of whoever is
// logged in on this page.
import { sessionPanel } from "./account.js";
import { bearer, current } from "./session.js";

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");

// What was typed or pasted into the reference's own fields counts more than the session.
async function authenticate({ request, requestBuilder }) {
  const given = (name) => request.headers.get(name)?.replace(/^Bearer *$/i, "");
  const token = given("authorization");
  const session = token ? null : current();
  const tenant = given("x-tenant-slug") || session?.tenant;
  // Fields that were left empty would be sent as they are.
  requestBuilder.security = [];
  if (token || session) requestBuilder.headers.set("Authorization", token || `Bearer ${await bearer()}`);
  if (tenant) requestBuilder.headers.set("X-Tenant-Slug", tenant);
}

const configuration = {
  url: "/openapi.json",
  onBeforeRequest: authenticate,
  // A field for a token is there from the start; an API key goes there as well.
  authentication: { preferredSecurityScheme: "session" },
  onLoaded: () => (document.body.dataset.ready = "yes"),
  forceDarkModeState: theme(),
  hideDarkModeToggle: true,
  // Everything comes from this service, and nothing is told to anybody else.
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  showDeveloperTools: "never",
  documentDownloadType: "none",
  // A token of somebody who has left stays with nobody.
  persistAuth: false,
};

sessionPanel();
if (globalThis.Scalar) Scalar.createApiReference("#reference", configuration);
else document.getElementById("failed").hidden = false;

// It takes the theme once; afterwards these classes are what it goes by.
function recolour() {
  document.body.classList.toggle("dark-mode", theme() === "dark");
  document.body.classList.toggle("light-mode", theme() === "light");
}
new MutationObserver(recolour).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
dark.addEventListener("change", recolour);
