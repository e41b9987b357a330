// Says what happens to those who listen to the page.

import { by } from "./dom.js";

/** The last thing said counts; sayings in a row are not queued. */
export function announce(text) {
  by("announcer").textContent = text;
}
