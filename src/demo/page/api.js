// What the page asks of the demo's server. Its own origin alone; no key, no secret.

/** An answer: `{status, body, node}`; the body is null where there was none, the node the one that answered. Status 0: nobody answered. */
async function call(method, path, body) {
  const options = { method, headers: body === undefined ? {} : { "content-type": "application/json" }, body: body === undefined ? undefined : JSON.stringify(body) };
  try {
    const answer = await fetch(`/demo/${path}`, options);
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? null : JSON.parse(text), node: answer.headers.get("engage-demo-node") };
  } catch {
    return { status: 0, body: null, node: null };
  }
}

const part = encodeURIComponent;

export const api = {
  state: () => call("GET", "state"),
  token: (device) => call("POST", `devices/${part(device)}/token`),
  /** `cut` its wire, `mend` it, or `tear` off what goes over it now. */
  wire: (device, what) => call("POST", `devices/${part(device)}/${what}`),
  /** `kill` it, or `start` it again. */
  node: (name, what) => call("POST", `nodes/${part(name)}/${what}`),
  publish: (engagement) => call("POST", "engagements", engagement),
  withdraw: (id) => call("DELETE", `engagements/${part(id)}`),
  deliveries: () => call("GET", "engagements"),
  delivery: (id) => call("GET", `engagements/${part(id)}`),
  outcomes: (after) => call("GET", `outcomes${after ? `?after=${part(after)}` : ""}`),
  forget: () => call("POST", "forget"),
};
