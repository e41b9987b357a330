/**
 * What a token says about itself. It is not verified here: the server does that. It is read to know whose outbox to open before the server has spoken.
 */

export interface Claims {
  /** The user. */
  readonly sub?: string;
  /** When it ends, in seconds since the epoch, by the server's clock. */
  readonly exp?: number;
  /** The only device it is good for. */
  readonly device?: string;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The claims of a JWT; none if it isn't one. By hand: not every platform has `atob` and `TextDecoder`. */
export function claimsOf(token: string): Claims {
  try {
    let [bits, value, escaped] = [0, 0, ""];
    for (const sign of (token.split(".")[1] ?? "").replace(/=+$/, "")) {
      value = (value << 6) | ALPHABET.indexOf(sign);
      bits += 6;
      if (bits >= 8) {
        bits -= 8;
        escaped += "%" + ((value >> bits) & 255).toString(16).padStart(2, "0");
      }
    }
    return JSON.parse(decodeURIComponent(escaped)) as Claims;
  } catch {
    return {};
  }
}
