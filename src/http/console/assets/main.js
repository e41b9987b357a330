// Begins: asks for the key, or goes on with the one that this tab has, and shows the view that the address names.

import { App } from "./app.js";
import { Api } from "./api.js";
import { dialog } from "./dialogs.js";
import { h, patch } from "./dom.js";
import { bar, lost, redLine, spoken } from "./frame.js";
import { enter, login, refusal } from "./login.js";
import { keepKey, storedKey } from "./session.js";
import { nodes } from "./view-nodes.js";
import { outcomes } from "./view-outcomes.js";
import { overview } from "./view-overview.js";
import { shards } from "./view-shards.js";
import { users } from "./view-users.js";

const VIEWS = { overview, nodes, shards, users, outcomes };
const TITLES = { overview: "Overview", nodes: "Nodes", shards: "Shards", users: "Users", outcomes: "Outcomes" };
/** The console lies beside `/v1`, wherever a proxy puts the two. */
const BASE = new URL("../", import.meta.url);

const page = document.getElementById("page");
const alert = document.getElementById("alert");
const asking = document.getElementById("dialog");
let app = null;
let door = { said: "", isBusy: false };
let drawing = null;

/** Draws with the next frame, once for all that changed until then. A page that nobody sees is drawn all the same, for its title. */
function render() {
  drawing ??= setTimeout(() => {
    drawing = null;
    draw();
  }, 0);
}

function draw() {
  if (!app) {
    document.title = "engage console";
    alert.textContent = "";
    patch(asking);
    if (asking.open) asking.close();
    return patch(page, h("main", { class: "door", key: "door" }, login(door, logIn)));
  }
  const { cluster, view, verdict, asked } = app;
  const mark = app.lostSince !== null || verdict?.level === "act" ? "● " : "";
  document.title = `${mark}${TITLES[view]} · engage`;
  const words = spoken(app);
  if (alert.textContent !== words) alert.textContent = words;
  const body = cluster ? VIEWS[view](app, app.actions) : h("p", { class: "empty", key: "wait" }, app.lostSince === null ? "Reading…" : "");
  patch(
    page,
    bar(app, () => logOut("")),
    lost(app, app.actions.again),
    redLine(app),
    h("main", { key: "main", id: "main", tabindex: -1, "aria-label": TITLES[view], class: app.lostSince === null ? view : `${view} stale` }, body),
  );
  patch(asking, asked && dialog(asked, app.actions));
  if (asked && !asking.open) asking.showModal();
  if (!asked && asking.open) asking.close();
}

async function logIn(event) {
  event.preventDefault();
  const field = event.target.elements.key;
  const key = field.value.trim();
  if (door.isBusy || key === "") return;
  door = { said: "", isBusy: true };
  draw();
  try {
    const api = await enter(BASE, key);
    field.value = "";
    keepKey(key);
    begin(api);
  } catch (error) {
    door = { said: refusal(error), isBusy: false };
    field.select();
  }
  render();
}

function begin(api) {
  door = { said: "", isBusy: false };
  app = new App(api, { render, leave: logOut });
  app.go(location.hash);
  if (!document.hidden) app.start();
}

function logOut(said) {
  keepKey(null);
  app?.stop();
  app = null;
  door = { said, isBusy: false };
  draw();
  document.getElementById("key")?.focus();
}

window.addEventListener("hashchange", async () => {
  await app?.go(location.hash);
  document.getElementById("main")?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
});
document.addEventListener("visibilitychange", () => (document.hidden ? app?.stop() : app?.start()));
asking.addEventListener("close", () => app?.asked && app.actions.close());

const key = storedKey();
if (key === null) draw();
else
  // A reload: the key was good a moment ago. Where it is not any more, the first look says so.
  begin(new Api(BASE, key));
render();
