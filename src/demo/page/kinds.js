// What the publisher of the demo publishes: four kinds, and some special ones. A payload is the app's own business: nodes never look into it.

/** The kinds, as they are first published. `make` gives what goes to the node beside the id. */
export const KINDS = {
  survey: {
    name: "Survey",
    about: "three questions",
    make: () => ({ steps: 3, payload: SURVEY }),
  },
  tour: {
    name: "Tour",
    about: "four stops",
    make: () => ({ steps: 4, payload: TOUR }),
  },
  banner: {
    name: "Banner",
    about: "once is enough",
    make: () => ({ payload: { kind: "banner", text: "Free shipping this weekend", detail: "On every bag, to every door." } }),
  },
  notice: {
    name: "Notice",
    about: "now or never",
    make: () => ({ mode: "fire_and_forget", payload: { kind: "notice", text: "Your order is out for delivery" } }),
  },
};

const SURVEY = {
  kind: "survey",
  title: "How was your coffee?",
  questions: [
    { name: "taste", text: "How did you like it?", type: "scale", low: "Not at all", high: "A lot", points: 5 },
    { name: "brew", text: "How do you brew it?", type: "choice", options: ["Espresso", "Filter", "French press", "However I can"] },
    { name: "again", text: "Would you order it again?", type: "choice", options: ["Yes, the same", "Yes, another one", "No"] },
  ],
};

const TOUR = {
  kind: "tour",
  title: "What is new",
  stops: [
    { at: "search", title: "Find your roast", text: "Search by taste: try “chocolate” or “bright”." },
    { at: "star", title: "Keep favourites", text: "A star keeps a coffee at the top of your list." },
    { at: "first", title: "Freshly roasted", text: "Never older than a week when it leaves us." },
    { at: "bag", title: "Your bag", text: "It waits for you on every device." },
  ],
};

/** One click each: what the options are for, seen at work. `with` is laid over what the kind gives. */
export const SPECIAL = [
  { name: "On both at once", about: "The first to finish wins; the other sees how far it is.", kind: "survey", with: { targets: "all" } },
  { name: "One for each device", about: "A delivery for the phone and one for the laptop.", kind: "banner", with: { scope: "device" } },
  { name: "Gone in 20 s", about: "It expires, also while a device shows it.", kind: "survey", with: { ttl: "20s" } },
  { name: "Once in a minute", about: "It has a window of its own. When that has closed, the same id is new again.", kind: "banner", with: { window: "1m" } },
  { name: "Snooze 10 s", about: "Dismissed, it comes back after ten seconds.", kind: "tour", with: { snooze: "10s" } },
  { name: "Jumps the queue", about: "With priority 50 it is the next to be shown.", kind: "survey", with: { priority: 50 } },
];

/** What is published, with an id of its own: `survey-1`, `survey-2`, … */
export function engagement(kind, id, more = {}) {
  return { id, ...KINDS[kind].make(), ...more };
}
