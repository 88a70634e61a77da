// The switch between light and dark, which stays as it was left. Loaded before the page is drawn, so that it does not flash.
const KEY = "bailiwick.theme";
const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function effective() {
  return root.dataset.theme ?? (dark.matches ? "dark" : "light");
}

if (stored() === "light" || stored() === "dark") root.dataset.theme = stored();

document.addEventListener("DOMContentLoaded", () => {
  const button = document.querySelector("[data-theme-switch]");
  const say = () => (button.textContent = effective() === "dark" ? "Light" : "Dark");
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = effective() === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // Then it is for this page only.
    }
    say();
  });
  dark.addEventListener("change", say);
  say();
});
