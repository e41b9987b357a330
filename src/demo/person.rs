//! Whom everything in the demo is for: one person with two devices.

use super::DemoError;
use crate::client::{Api, Claims, Connection, Hello, ServerMessage};
use crate::clock;
use crate::fleet::Fleet;

/// The user.
pub(super) const USER: &str = "ann";
/// Their devices.
pub(super) const DEVICES: [&str; 2] = ["phone", "laptop"];
/// So long a token holds. Short enough that a page that stays open renews it now and then, as a real one does.
const TOKEN_TTL_MS: u64 = 5 * 60_000;

/// A token for a device of the user, and for nothing else.
pub(super) fn token(nodes: &Fleet, device: &str) -> Result<String, DemoError> {
    Ok(Claims::new(USER, Some(device), clock::wall_ms(), TOKEN_TTL_MS).sign(nodes.jwt_secret())?)
}

/// Has a device of the user come and go, so that the cluster knows the user, and can say who owns them. What can't be done now is done by the page's own devices later.
pub(super) async fn introduce(nodes: &Fleet) -> Result<(), DemoError> {
    let token = token(nodes, DEVICES[0])?;
    for (process, _) in nodes.all() {
        let hello = Hello::new(token.clone(), DEVICES[0]);
        let Ok(mut connection) = Connection::connect(&process.settings().url(), hello).await else { continue };
        let welcome = connection.next().await;
        connection.close().await;
        if welcome.is_ok_and(|received| matches!(received.message, ServerMessage::Welcome(_))) {
            break;
        }
    }
    Ok(())
}

/// The shard that the user is on, if the cluster knows them.
pub(super) async fn shard(api: &Api) -> Option<u32> {
    api.user(USER).await.ok().map(|user| user.shard)
}
