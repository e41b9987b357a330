// A web origin of the tests: serves pages and scripts from memory and from folders, on a free port.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".map": "application/json" };

export class Site {
  #server;
  /** How often each path was asked for. */
  asked = new Map();

  constructor(server) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${server.address().port}`;
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/**
 * Starts a site. `pages`: path → text, or a function of the request that gives text or `{status, type, body}`; `folders`: path prefix → folder.
 */
export async function startSite({ pages = {}, folders = {} } = {}) {
  let site;
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://site");
    site.asked.set(pathname, (site.asked.get(pathname) ?? 0) + 1);
    const { status = 200, type = TYPES[extname(pathname)] ?? TYPES[".html"], body } = await answer(request, pathname, pages, folders);
    response.writeHead(status, { "content-type": type, "cache-control": "no-cache" }).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  site = new Site(server);
  return site;
}

async function answer(request, pathname, pages, folders) {
  const page = pages[pathname];
  if (page !== undefined) {
    const body = typeof page === "function" ? await page(request) : page;
    return typeof body === "object" ? body : { body };
  }
  const prefix = Object.keys(folders).find((known) => pathname.startsWith(known));
  if (prefix === undefined) return { status: 404, body: "not found" };
  const path = join(folders[prefix], normalize(`/${pathname.slice(prefix.length)}`));
  return readFile(path).then((body) => ({ body }), () => ({ status: 404, body: "not found" }));
}
