// The key of whoever is logged in: in this tab's session storage, so that a reload does not ask again, and gone with the tab or the logout. Never in a URL, in the document, or
// in what other tabs can read.

const NAME = "engage-console-key";

/** The key, if somebody is logged in. A browser that keeps nothing gives none. */
export function storedKey() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null;
  }
}

/** Keeps a key that was accepted; `null` forgets it. */
export function keepKey(key) {
  try {
    if (key === null) sessionStorage.removeItem(NAME);
    else sessionStorage.setItem(NAME, key);
  } catch {
    // Without storage, the key lives in memory until the reload.
  }
}
