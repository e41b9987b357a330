// What is the matter, as the rules say it, and what they look at.

/** It needs an operator now. */
export const act = (id, what, more, todo) => [{ id, level: "act", what, more, todo }];

/** It is worth a look. */
export const watch = (id, what, more, todo) => [{ id, level: "watch", what, more, todo }];

/** The figures of every node that answers. */
export const measured = ({ figures }) => (figures?.nodes ?? []).filter((node) => node.figures);
