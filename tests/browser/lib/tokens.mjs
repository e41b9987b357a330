// Tokens of clients and keys of publishers, as every node of these tests knows them.

import { createHmac } from "node:crypto";

/** What the nodes verify tokens with. */
export const SECRET = "the-secret-of-the-browser-tests-0123456789-abcdef";

/** The API keys, one for each role. */
export const PUBLISH_KEY = "key-of-the-publisher-0123456789abcdef";
export const READ_KEY = "key-of-the-reader-0123456789abcdef012";
export const ADMIN_KEY = "key-of-the-admin-0123456789abcdef0123";

/** A token for a user, good for an hour, or for so many seconds (negative: it has ended), and for one device only if it is named. */
export function token(user, { seconds = 3600, device } = {}) {
  return signed({ sub: user, exp: Math.floor(Date.now() / 1000) + seconds, ...(device === undefined ? {} : { device }) });
}

/** Any claims, signed. */
export function signed(claims, secret = SECRET) {
  const head = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${head}.${createHmac("sha256", secret).update(head).digest("base64url")}`;
}

function part(value) {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
