// Light or dark: what the system wishes, until the person says otherwise. Kept for the next visit.

const KEY = "engage-demo-theme";

/** `light` or `dark`, as it is now. */
export function theme() {
  return document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

/** Sets it, here and for the next visit. */
export function setTheme(value) {
  document.documentElement.dataset.theme = value;
  localStorage.setItem(KEY, value);
}

/** What was chosen on an earlier visit, or before this page was loaded. */
export function recallTheme() {
  const kept = localStorage.getItem(KEY);
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
}
