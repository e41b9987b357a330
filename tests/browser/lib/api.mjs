// The HTTP API of a node, as publishers and operators call it.

import { ADMIN_KEY } from "./tokens.mjs";

/** A caller of one node, with all rights unless another key (or none: `null`) is given. */
export class Api {
  constructor(url, key = ADMIN_KEY) {
    this.url = url;
    this.key = key;
  }

  /** One call: `{status, headers, body}`; the body as JSON where it is, else as text. Never throws for a status. */
  async call(method, path, { body, headers = {}, signal } = {}) {
    const asText = typeof body === "string" || body === undefined;
    const answer = await fetch(this.url + path, {
      method,
      signal,
      redirect: "manual",
      headers: {
        ...(this.key ? { authorization: `Bearer ${this.key}` } : {}),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: asText ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    const isJson = (answer.headers.get("content-type") ?? "").match(/^application\/(problem\+)?json/);
    return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
  }

  /** Publishes `{id, payload, …}` for a user; fails if that isn't accepted. */
  async publish(user, engagement) {
    const answer = await this.call("POST", `/v1/users/${encodeURIComponent(user)}/engagements`, { body: engagement });
    if (answer.status >= 300) throw new Error(`the publish was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Withdraws one. */
  async withdraw(user, id) {
    return (await this.call("DELETE", `/v1/users/${encodeURIComponent(user)}/engagements/${encodeURIComponent(id)}`)).body;
  }

  /** One delivery with its timeline, or null. */
  async delivery(user, id) {
    const answer = await this.call("GET", `/v1/users/${encodeURIComponent(user)}/engagements/${encodeURIComponent(id)}`);
    return answer.status === 200 ? answer.body : null;
  }

  /** The deliveries of a user. */
  async deliveries(user) {
    const answer = await this.call("GET", `/v1/users/${encodeURIComponent(user)}/engagements`);
    return answer.status === 200 ? answer.body.deliveries : [];
  }

  /** What is known of a user, or null. */
  async user(user) {
    const answer = await this.call("GET", `/v1/users/${encodeURIComponent(user)}`);
    return answer.status === 200 ? answer.body : null;
  }

  /** The connected devices of a user. */
  async devices(user) {
    return (await this.user(user))?.devices ?? [];
  }

  /** Nodes and shards, or null where that can't be told. */
  async cluster() {
    const answer = await this.call("GET", "/v1/cluster");
    return answer.status === 200 ? answer.body : null;
  }
}
