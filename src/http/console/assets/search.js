// The user that is looked at: found by id, and read again every few seconds while the view is open.

import { Refused } from "./api.js";
import { keyOf } from "./view-users.js";

/** Deliveries of a page. */
const PAGE = 50;
const PAGES_MAX = 10;
/** Timelines that are open at once; the oldest closes. */
const OPEN_MAX = 8;
const path = (user) => `v1/users/${encodeURIComponent(user)}`;

/** Nothing was looked for. */
export function nothing() {
  return { id: null, typed: null, user: null, deliveries: [], cursor: null, pages: 1, timelines: new Map(), open: new Set(), said: "", isBad: false };
}

/** Reads all that is shown of a user anew. What is known stays where the node can't be reached. */
export async function read(api, search) {
  try {
    const [user, page] = await Promise.all([api.get(path(search.id)), pages(api, search)]);
    const ids = new Set([...search.open].map((key) => page.deliveries.find((one) => keyOf(one) === key)?.id).filter(Boolean));
    const timelines = new Map(await Promise.all([...ids].map(async (id) => [id, (await engagement(api, search.id, id))?.timeline ?? []])));
    return { ...search, user, ...page, timelines, said: "", isBad: false };
  } catch (error) {
    if (error instanceof Refused && error.status === 404) {
      return { ...nothing(), id: search.id, said: `The ledger knows nothing of a user ${search.id}, and no device of that name is connected.` };
    }
    if (error instanceof Refused && error.status === 401) throw error;
    return { ...search, said: `Can't be read now: ${error.message}.`, isBad: true };
  }
}

async function pages(api, { id, pages: wanted }) {
  let deliveries = [],
    cursor = null;
  for (let page = 0; page < Math.min(wanted, PAGES_MAX); page += 1) {
    const answer = await api.get(`${path(id)}/engagements?limit=${PAGE}${cursor === null ? "" : `&after=${cursor}`}`);
    deliveries = [...deliveries, ...answer.deliveries];
    cursor = answer.cursor;
    if (cursor === null) break;
  }
  return { deliveries, cursor: wanted < PAGES_MAX ? cursor : null };
}

async function engagement(api, user, id) {
  return api.get(`${path(user)}/engagements/${encodeURIComponent(id)}`).catch(() => null);
}

/** Opens or closes the timeline of a delivery. */
export function toggled(search, delivery) {
  const key = keyOf(delivery);
  const open = new Set(search.open);
  if (!open.delete(key)) open.add(key);
  return { ...search, open: new Set([...open].slice(-OPEN_MAX)) };
}
