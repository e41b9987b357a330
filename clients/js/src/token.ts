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

/** The claims of a JWT; none if it isn't one. */
export function claimsOf(token: string): Claims {
  try {
    const bytes = atob((token.split(".")[1] as string).replace(/-/g, "+").replace(/_/g, "/"));
    // By way of an escaped URL, since not every platform has a TextDecoder.
    return JSON.parse(decodeURIComponent(bytes.replace(/[^]/g, (byte) => "%" + (256 + byte.charCodeAt(0)).toString(16).slice(1)))) as Claims;
  } catch {
    return {};
  }
}
