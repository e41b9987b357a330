//! Stand-ins for the rest of the node, for tests of the routes.
