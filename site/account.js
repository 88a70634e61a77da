// Who is logged in: a form to get in, and the panel behind the button at the top.
import { field, h, inline } from "./dom.js";
import { current, follow, login, logout, register, renew, use } from "./session.js";

const place = (id) => document.getElementById(id);

// A form to register or to log in.
export function accountForm() {
  const name = h("input", { name: "name", autocomplete: "name", required: true });
  const email = h("input", { name: "email", type: "email", autocomplete: "username", required: true });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const named = field("Name", name);
  const hint = h("p.soft", {}, inline("A password has 8 to 72 bytes. The first person to register owns the tenant `default`."));
  const failed = h("div.failed", { role: "alert" });
  const submit = h("button", { type: "submit" });
  const choose = (mode) => h("button.quiet", { type: "button", "aria-pressed": "false", click: () => become(mode) }, mode === "register" ? "Register" : "Log in");
  const modes = { register: choose("register"), login: choose("login") };
  let mode;
  function become(chosen) {
    mode = chosen;
    for (const [other, button] of Object.entries(modes)) button.setAttribute("aria-pressed", String(other === mode));
    named.hidden = hint.hidden = mode === "login";
    name.required = mode === "register";
    password.autocomplete = mode === "register" ? "new-password" : "current-password";
    submit.textContent = mode === "register" ? "Register and log in" : "Log in";
    failed.replaceChildren();
  }
  become("register");
  return h("form.account", {
    submit: async (event) => {
      event.preventDefault();
      submit.disabled = true;
      failed.replaceChildren();
      try {
        if (mode === "register") await register({ name: name.value, email: email.value, password: password.value });
        // From here on there is an account, whatever becomes of the login.
        become("login");
        await login(email.value, password.value);
        password.value = "";
      } catch (error) {
        const faults = error.problem?.errors ?? [];
        failed.append(h("p.bad", {}, inline(error.message)), h("ul", {}, faults.map(({ pointer, detail }) => h("li", {}, h("code", {}, pointer), " ", inline(detail)))));
      }
      submit.disabled = false;
    },
  }, h("div.modes", { role: "group", "aria-label": "Register or log in" }, Object.values(modes)), named, field("Email", email), field("Password", password), hint, failed, submit);
}

// The panel.
export function sessionPanel() {
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
