// Uses the pages in a headless Chromium, as a newcomer does:
//   node tests/browser/check.mjs --url http://127.0.0.1:8080 --screenshots DIRECTORY
// The service must be fresh: who registers first owns the tenant `default`. Prints what it checks. Ends with 1 at the first
// check that fails, or if the page said an error, broke its Content-Security-Policy or asked another origin for anything.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const { values: options } = parseArgs({ options: { url: { type: "string" }, screenshots: { type: "string" } } });
const { origin } = new URL(options.url);
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const SMALLEST = { width: 360, height: 740 };
const PASSWORD = "correct horse battery";

const directory = mkdtempSync(join(tmpdir(), "bailiwick-chromium-"));
mkdirSync(options.screenshots, { recursive: true });
const context = await chromium.launchPersistentContext(directory, {
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
  viewport: DESKTOP,
  colorScheme: "light",
});
// No measure of speed: what does not happen in this time never does.
const PATIENCE = 5 * 60_000;
context.setDefaultTimeout(PATIENCE);
const page = context.pages()[0] ?? (await context.newPage());

// What must not happen. A refusal that was asked for is a line in the console, too.
const complaints = [];
let refusals = 0;
context.on("request", (request) => {
  if (new URL(request.url()).origin !== origin) complaints.push(`asked ${request.url()}`);
});
page.on("pageerror", (error) => complaints.push(`threw ${error}`));
page.on("console", (message) => {
  if (!["error", "warning"].includes(message.type())) return;
  if (refusals > 0 && /status of 4\d\d/.test(message.text())) refusals -= 1;
  else complaints.push(`said ${message.text()}`);
});
await page.addInitScript(() => {
  document.addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
});

async function check(what, work) {
  await work();
  assert.deepEqual(complaints, [], what);
  console.log(`  ${what}`);
}

const open = async (path) => {
  await page.goto(options.url + path);
  if (path.startsWith("/docs")) await page.waitForSelector("body[data-ready]");
};
const picture = async (name, whole = false) => {
  // A frame of the present size has been shown when the one after the next is asked for.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  const take = () => page.screenshot({ path: join(options.screenshots, `${name}.png`), fullPage: whole });
  // Chromium says so when it has no frame to show yet, and tells nobody when it has one. Nothing is checked by pictures.
  for (const since = Date.now(); ; await page.waitForTimeout(100)) {
    try {
      return await take();
    } catch (error) {
      if (!/Unable to capture screenshot/.test(error) || Date.now() - since > PATIENCE) throw error;
    }
  }
};
const step = (title) => page.locator(".tour > li").filter({ has: page.getByRole("heading", { name: title }) });
const operation = async (id) => {
  const details = page.locator(`#op-${id}`);
  await details.evaluate((element) => (element.open = true));
  await details.locator("form.try").waitFor();
  return details;
};
const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

// How well text can be read on what is behind it (WCAG 2.2, 1.4.3): the worst ratio of all texts that are seen.
const worstContrast = () =>
  page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const found = rgba(getComputedStyle(at).backgroundColor);
        if (found[3] === 255) return found;
      }
      return [255, 255, 255];
    };
    let worst = { ratio: 21 };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || !element.checkVisibility() || element.closest(":disabled, .hidden, .skip, script, style, noscript, title, desc")) continue;
      const style = getComputedStyle(element);
      const colour = element instanceof SVGElement ? style.fill : style.color;
      const [one, other] = [rgba(colour), behind(element)].map(luminance).sort((a, b) => b - a);
      const ratio = (one + 0.05) / (other + 0.05);
      if (ratio < worst.ratio) worst = { ratio, text: node.data.trim().slice(0, 40), colour };
    }
    return worst;
  });

// Controls and regions without a name, ids that stand twice, headings that skip a level.
const unnamed = () =>
  page.evaluate(() => {
    const found = [];
    for (const control of document.querySelectorAll("input, select, textarea")) if (!control.labels.length) found.push(`no label: ${control.outerHTML}`);
    for (const button of document.querySelectorAll("button, a[href], summary")) if (!(button.textContent.trim() || button.getAttribute("aria-label"))) found.push(`no name: ${button.outerHTML}`);
    for (const region of document.querySelectorAll("[role=region], nav, dialog")) if (!region.getAttribute("aria-label") && !region.getAttribute("aria-labelledby")) found.push(`no name: ${region.outerHTML.slice(0, 80)}`);
    for (const image of document.querySelectorAll("img")) if (!image.hasAttribute("alt")) found.push(`no alt: ${image.outerHTML}`);
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    found.push(...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `twice: ${id}`));
    const levels = [...document.querySelectorAll("main :is(h1, h2, h3, h4)")].filter((heading) => heading.checkVisibility()).map(({ tagName }) => Number(tagName[1]));
    levels.forEach((level, at) => at > 0 && level > levels[at - 1] + 1 && found.push(`a heading skips a level: ${level}`));
    return found;
  });

try {
  await check("the page for people at /", async () => {
    await open("/");
    assert.equal(await page.locator("h1").textContent(), "Bailiwick");
    await picture("home-desktop-light");
    await page.getByRole("link", { name: "Read and try the API" }).click();
    await page.waitForSelector("body[data-ready]");
  });

  await check("/docs shows every operation of the description", async () => {
    const { paths } = await (await fetch(`${options.url}/openapi.json`)).json();
    const described = Object.values(paths).flatMap((methods) => Object.values(methods).filter(({ operationId }) => operationId).map(({ operationId }) => `op-${operationId}`));
    const shown = await page.locator(".operation").evaluateAll((all) => all.map(({ id }) => id));
    assert.deepEqual(shown.sort(), described.sort());
    await operation("projects_create");
    assert.deepEqual(await unnamed(), []);
  });

  await check("the workflow is there as a picture and as a table, and so is who may call what", async () => {
    const { transitions, statuses } = await (await fetch(`${options.url}/v1/workflow`)).json();
    for (const { from, to } of transitions) assert.equal(await page.locator(`.diagram #${from}-${to} path`).count(), 1);
    for (const status of statuses) assert.ok(await page.locator(`.diagram #${status} text`).isVisible());
    await page.getByText("The same as a table").click();
    assert.equal(await page.locator("#transitions tbody tr").count(), transitions.length);
    await page.getByText("The table of all routes").click();
    assert.equal(await page.locator("#access-table tbody tr").count(), await page.locator(".operation").count());
    const row = await page.locator("#access-table tr", { hasText: "/v1/tenant/config" }).first().innerText();
    assert.equal(row.match(/yes/g).length, 1, row);
  });

  await check("registering through the form logs in", async () => {
    const form = step("Register, or log in").locator("form");
    await form.getByLabel("Name").fill("Ada");
    await form.getByLabel("Email").fill("ada@example.com");
    await form.getByLabel("Password").fill("short");
    refusals = 1;
    await form.getByRole("button", { name: "Register and log in" }).click();
    await form.getByRole("alert").getByText("/password").waitFor();
    await form.getByLabel("Password").fill(PASSWORD);
    await form.getByRole("button", { name: "Register and log in" }).click();
    await page.locator("#session-button", { hasText: "Ada" }).waitFor();
    const kept = await page.evaluate(() => ({ here: Object.keys(sessionStorage), lasting: JSON.stringify(localStorage), cookies: document.cookie }));
    assert.deepEqual(kept, { here: ["bailiwick.session"], lasting: "{}", cookies: "" });
  });

  await check("the first steps: a project, its submission, and a refusal that explains itself", async () => {
    for (const [title, status] of [["Create a project", "201"], ["Submit it", "200"], ["Try an invalid transition", "409"]]) {
      if (status === "409") refusals = 1;
      await step(title).getByRole("button", { name: title }).click();
      await step(title).locator(".head .status", { hasText: status }).waitFor();
    }
    const problem = step("Try an invalid transition").locator(".problem");
    assert.match(await problem.innerText(), /allowed\s+draft, approved, rejected/);
    await step("Try an invalid transition").scrollIntoViewIfNeeded();
    await picture("tour-desktop-light");
  });

  await check("a form sends what its fields say, with the token, and the command line says the same", async () => {
    const form = await operation("projects_create");
    await form.getByLabel("Body (JSON)").fill('{"name": "Tunnel"}');
    await form.getByLabel("X-Tenant-Slug").fill("default");
    const [request] = await Promise.all([
      page.waitForRequest((request) => request.url().endsWith("/v1/projects") && request.method() === "POST"),
      form.getByRole("button", { name: "Send" }).click(),
    ]);
    const headers = await request.allHeaders();
    assert.match(headers.authorization, /^Bearer ey/);
    assert.deepEqual([headers["x-tenant-slug"], request.postData()], ["default", '{"name": "Tunnel"}']);
    await form.locator(".head .status", { hasText: "201" }).waitFor();
    assert.match(await form.locator(".reply pre").first().innerText(), /"name": "Tunnel"/);
    await form.getByText("As a command").click();
    const line = await form.locator(".try > details pre").innerText();
    assert.match(line, /curl -X POST '.*\/v1\/projects'[^]*X-Tenant-Slug: default[^]*'\{"name": "Tunnel"\}'/);
    assert.ok(!line.includes("eyJ"), "the token is not in the command line");
  });

  await check("an id that was seen is filled in, and a refused transition shows its problem", async () => {
    const form = await operation("projects_transition");
    assert.match(await form.getByLabel("project_id").inputValue(), /^[0-9a-f-]{36}$/);
    await form.getByLabel("Body (JSON)").fill('{"to": "completed", "why": 1}');
    refusals = 2;
    await form.getByRole("button", { name: "Send" }).click();
    await form.locator(".problem").getByText("/why").waitFor();
    await form.getByLabel("Body (JSON)").fill('{"to": "completed"}');
    await form.getByRole("button", { name: "Send" }).click();
    await form.locator(".problem", { hasText: "transition_not_allowed" }).waitFor();
    await form.evaluate((element) => element.scrollIntoView());
    await picture("operation-desktop-light");
  });

  await check("the tenant in use goes with every request", async () => {
    const form = await operation("tenants_create");
    await form.getByLabel("Body (JSON)").fill('{"slug": "acme", "name": "Acme"}');
    await form.getByRole("button", { name: "Send" }).click();
    await form.locator(".head .status", { hasText: "201" }).waitFor();
    await page.reload();
    await page.waitForSelector("body[data-ready]");
    await page.locator("#session-button", { hasText: "Ada" }).click();
    await page.getByRole("button", { name: "Renew the token" }).click();
    await page.locator("#session select option[value=default]").waitFor({ state: "attached" });
    await picture("session-desktop-light");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.locator("#session-button", { hasText: "Log in" }).click();
    const dialog = page.locator("#session");
    await dialog.getByRole("button", { name: "Log in", exact: true }).first().click();
    await dialog.getByLabel("Email").fill("ada@example.com");
    await dialog.getByLabel("Password").fill(PASSWORD);
    await dialog.locator("button[type=submit]").click();
    await page.locator("#session-button", { hasText: "Ada" }).click();
    await page.getByLabel("Tenant in use").focus();
    await page.getByLabel("Tenant in use").selectOption("acme");
    await page.locator("#session-button", { hasText: "acme" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "SELECT", "the focus stays");
    await page.getByRole("button", { name: "Close" }).click();
    const read = await operation("tenants_get");
    assert.equal(await read.getByLabel("X-Tenant-Slug").inputValue(), "acme");
    await read.getByRole("button", { name: "Send" }).click();
    await read.locator(".reply pre", { hasText: '"slug": "acme"' }).waitFor();
  });

  await check("tokens that are about to expire are renewed, once for all that wait", async () => {
    const before = await page.evaluate(() => {
      const session = JSON.parse(sessionStorage.getItem("bailiwick.session"));
      sessionStorage.setItem("bailiwick.session", JSON.stringify({ ...session, expires: 0 }));
      return session.refresh;
    });
    await open("/docs");
    let renewals = 0;
    const count = (request) => request.url().endsWith("/v1/auth/refresh") && renewals++;
    page.on("request", count);
    const [mine, projects] = [await operation("me_get"), await operation("projects_list")];
    await page.evaluate(() => document.querySelectorAll("form.try").forEach((form) => form.requestSubmit()));
    await mine.locator(".head .status", { hasText: "200" }).waitFor();
    await projects.locator(".head .status", { hasText: "200" }).waitFor();
    page.off("request", count);
    const after = await page.evaluate(() => JSON.parse(sessionStorage.getItem("bailiwick.session")).refresh);
    assert.equal(renewals, 1);
    assert.notEqual(after, before);
  });

  await check("a session that was ended elsewhere is told", async () => {
    const form = await operation("auth_logout");
    await form.getByRole("button", { name: "Send" }).click();
    await form.locator(".head .status", { hasText: "204" }).waitFor();
    const read = await operation("me_get");
    refusals = 1;
    await read.getByRole("button", { name: "Send" }).click();
    await read.locator(".problem", { hasText: "invalid_token" }).waitFor();
    await page.locator("#session-button").click();
    refusals = 1;
    const told = page.waitForResponse((response) => response.url().endsWith("/v1/auth/logout"));
    await page.getByRole("button", { name: "Log out" }).click();
    await page.locator("#session-button", { hasText: "Log in" }).waitFor();
    assert.equal((await told).status(), 401);
  });

  await check("somebody without a tenant is led to one of their own", async () => {
    const form = step("Register, or log in").locator("form");
    await form.getByRole("button", { name: "Register", exact: true }).click();
    await form.getByLabel("Name").fill("Grace");
    await form.getByLabel("Email").fill("grace@example.com");
    await form.getByLabel("Password").fill(PASSWORD);
    await form.locator("button[type=submit]").click();
    await step("Create a tenant").getByRole("button", { name: "Create a tenant" }).click();
    await page.locator("#session-button", { hasText: "bridges-" }).waitFor();
    await step("Create a project").getByRole("button", { name: "Create a project" }).click();
    await step("Create a project").locator(".head .status", { hasText: "201" }).waitFor();
  });

  await check("the filter leaves what it names, and the keyboard leads to it", async () => {
    await page.locator("h1").click();
    await page.keyboard.press("/");
    await page.keyboard.type("comments delete");
    assert.equal(await page.locator(".operation:visible").count(), 1);
    assert.match(await page.locator("#filter-count").innerText(), /^1 of \d+ operations$/);
    await page.locator("#nav-operations a:visible").focus();
    await page.keyboard.press("Enter");
    await page.locator("#op-comments_delete form.try").waitFor();
    await page.getByLabel("Filter operations").fill("");
    await open("/docs#op-tasks_create");
    await page.locator("#op-tasks_create form.try").waitFor();
  });

  await check("a problem's page", async () => {
    await open("/problems");
    await picture("problems-desktop-light");
    await page.getByRole("link", { name: "transition_not_allowed" }).click();
    assert.match(await page.locator("h1").innerText(), /There is no such transition/);
    assert.match(await page.locator("main").innerText(), /What to do[^]*allowed/);
    assert.deepEqual(await unnamed(), []);
    await picture("problem-desktop-light");
  });

  for (const [device, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE, smallest: SMALLEST })) {
    for (const colorScheme of ["light", "dark"]) {
      await check(`${device}, ${colorScheme}: nothing sticks out, and everything can be read`, async () => {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        for (const [name, path] of [["home", "/"], ["problems", "/problems"], ["problem", "/problems/four_eyes"], ["docs", "/docs"]]) {
          await open(path);
          if (name === "docs") {
            await operation("projects_transition");
            await operation("tasks_list");
            await page.locator("details.answer").evaluateAll((all) => all.forEach((details) => (details.open = true)));
          }
          assert.equal(await overflow(), 0, `${path} is wider than ${viewport.width}`);
          const worst = await worstContrast();
          assert.ok(worst.ratio >= 4.5, `${path}: ${JSON.stringify(worst)}`);
          if (device === "smallest") continue;
          if (name === "docs") await open("/docs");
          await picture(`${name}-${device}-${colorScheme}`);
          if (name !== "docs") continue;
          await page.locator("#workflow").evaluate((element) => element.scrollIntoView());
          await picture(`workflow-${device}-${colorScheme}`);
          await (await operation("projects_transition")).evaluate((element) => element.scrollIntoView());
          await picture(`operation-${device}-${colorScheme}`);
        }
      });
    }
  }

  await check("the switch turns to dark and back, and stays as it was left", async () => {
    await page.setViewportSize(DESKTOP);
    await page.emulateMedia({ colorScheme: "light" });
    await open("/docs");
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await paper();
    await page.getByRole("button", { name: "Dark", exact: true }).click();
    const dark = await paper();
    assert.notEqual(dark, light);
    await open("/problems");
    assert.equal(await paper(), dark);
    await page.getByRole("button", { name: "Light", exact: true }).click();
    assert.equal(await paper(), light);
  });
} finally {
  await context.close();
  rmSync(directory, { recursive: true, force: true });
}
