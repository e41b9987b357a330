// How the parts of the page hear of each other: what happened, by name. Parts listen; none knows who else does.
//
//   state      what the demo's server says, a few times a second
//   traffic    {device, traffic}: a message of a device's wire
//   device     {device, state}: what a device's client does
//   lost       {device}: a confirm was lost on the wire
//   wake       {device}: the person looks at it
//   looked     {device}: it is the one that is looked at
//   published  {engagement, status, body}: a node's answer to a publish
//   killed, started  {node}
//   cut, mended, tabKilled, tabOpened  {device}
//   outcomes   a list of outcomes, in order

const target = new EventTarget();

/** Tells everybody. */
export function tell(name, detail) {
  target.dispatchEvent(new CustomEvent(name, { detail }));
}

/** Listens. */
export function on(name, listener) {
  target.addEventListener(name, (event) => listener(event.detail));
}
