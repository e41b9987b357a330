// The network of a device, as its client sees it: real WebSockets, which can be told to lose the next confirm. Everything else that happens to a network is done to the real wire, outside.

/** Makes the `WebSocket` that is handed to the client. */
export class Network {
  /** The next confirm is lost. */
  #loses = false;
  #onLost;

  /** `onLost` is told the messages of the frame that was lost; it has to tear the wire. */
  constructor(onLost) {
    this.#onLost = onLost;
  }

  /** From now on: the next confirm doesn't arrive, nor does anything after it on that connection. */
  loseNextConfirm() {
    this.#loses = true;
  }

  /** The constructor for the client. */
  get WebSocket() {
    const network = this;
    return class {
      #socket;
      #isDeaf = false;
      onopen = null;
      onmessage = null;
      onclose = null;
      onerror = null;

      constructor(url, protocols) {
        this.#socket = new WebSocket(url, protocols);
        this.#socket.onopen = (event) => this.onopen?.(event);
        this.#socket.onclose = (event) => this.onclose?.(event);
        this.#socket.onerror = (event) => this.onerror?.(event);
        this.#socket.onmessage = (event) => {
          this.#isDeaf ||= network.#takes(event.data);
          if (!this.#isDeaf) this.onmessage?.(event);
        };
      }

      send(text) {
        this.#socket.send(text);
      }

      close(code, reason) {
        this.#socket.close(code, reason);
      }
    };
  }

  #takes(text) {
    if (!this.#loses) return false;
    const messages = [JSON.parse(text)].flat();
    if (!messages.some((message) => message.type === "confirm")) return false;
    this.#loses = false;
    this.#onLost(messages);
    return true;
  }
}

/** What a device keeps: the browser's localStorage, in a compartment of its own, since the phone and the laptop share one browser here. */
export function compartment(device) {
  const prefix = `engage-demo/${device}/`;
  return {
    getItem: (key) => localStorage.getItem(prefix + key),
    setItem: (key, value) => localStorage.setItem(prefix + key, value),
    removeItem: (key) => localStorage.removeItem(prefix + key),
  };
}

/** Empties the compartments of all devices. */
export function forgetDevices() {
  for (const key of Object.keys(localStorage).filter((key) => key.startsWith("engage-demo/"))) localStorage.removeItem(key);
}
