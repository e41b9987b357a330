//! What two nodes say of themselves before a link stands, as bytes. A stranger's bytes are read where they lie, in a buffer of fixed size: nothing is set aside for them.

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::ledger::ids::EdgeId;
use crate::ports::peers::NodeId;

/// The protocol that this build speaks. A new one goes up by one, and keeps the old ones going for a release.
pub const VERSION: u16 = 1;
/// The oldest that it still speaks.
pub const OLDEST_VERSION: u16 = 1;
/// How the first message starts, for ever: whatever the version, this much can be read.
pub const PREFIX_BYTES: usize = 16;
/// Longest body of a hello, or of a verdict.
pub const BODY_MAX_BYTES: usize = 512;
/// Length of a challenge.
pub const CHALLENGE_BYTES: usize = 48;
pub const NONCE_BYTES: usize = 32;

const MAGIC: &[u8; 8] = b"engage\x00L";
const ID_MAX_BYTES: usize = 64;
const NAME_MAX_BYTES: usize = 128;

/// A number that was never used before.
pub type Nonce = [u8; NONCE_BYTES];

/// What a dialer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A link.
    Member,
    /// To be dialed: of a pair, the node with the higher id dials. The one with the lower id knocks when it has no link, and learns in this way that it was removed.
    Knock,
    /// To ask one question of [`crate::ports::peers::Service::Join`].
    Guest,
}

/// Who a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity<'a> {
    /// Empty for a guest.
    pub cluster_id: &'a str,
    /// 0 for a guest.
    pub node: NodeId,
    pub uuid: &'a str,
    pub run: EdgeId,
    pub name: &'a str,
}

impl Identity<'_> {
    /// Whether its texts are in bounds, and can stand in a log.
    fn is_sound(&self) -> bool {
        let is_plain = |text: &str| !text.contains(char::is_control);
        self.cluster_id.len() <= ID_MAX_BYTES
            && (1..=ID_MAX_BYTES).contains(&self.uuid.len())
            && (1..=NAME_MAX_BYTES).contains(&self.name.len())
            && [self.cluster_id, self.uuid, self.name].into_iter().all(is_plain)
    }
}

/// The first message, from the dialer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello<'a> {
    pub role: Role,
    /// The node that is expected to answer; 0 for a guest, who knows an address only.
    pub to: NodeId,
    #[serde(borrow)]
    pub from: Identity<'a>,
    pub nonce: Nonce,
}

impl<'a> Hello<'a> {
    /// The bytes of a hello, prefix included.
    ///
    /// # Errors
    /// [`Refusal::TooLong`]: a name or an id of this node is too long.
    pub fn write(&self, buffer: &mut [u8; PREFIX_BYTES + BODY_MAX_BYTES]) -> Result<usize, Refusal> {
        let (prefix, body) = buffer.split_at_mut(PREFIX_BYTES);
        let len = write_body(self, &self.from, body)?;
        prefix.fill(0);
        prefix[..8].copy_from_slice(MAGIC);
        prefix[8..10].copy_from_slice(&VERSION.to_le_bytes());
        prefix[10..12].copy_from_slice(&OLDEST_VERSION.to_le_bytes());
        prefix[12..14].copy_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes());
        Ok(PREFIX_BYTES + len)
    }

    /// Reads the body behind a prefix.
    ///
    /// # Errors
    /// [`Refusal::Broken`].
    pub fn read(body: &'a [u8]) -> Result<Hello<'a>, Refusal> {
        let hello: Hello<'a> = postcard::from_bytes(body).map_err(|_| Refusal::Broken)?;
        if hello.from.is_sound() { Ok(hello) } else { Err(Refusal::Broken) }
    }
}

/// Writes what a node says of itself, with its identity in it.
///
/// # Errors
/// [`Refusal::TooLong`], [`Refusal::Broken`].
fn write_body(body: &impl Serialize, identity: &Identity<'_>, buffer: &mut [u8]) -> Result<usize, Refusal> {
    if !identity.is_sound() {
        return Err(Refusal::Broken);
    }
    postcard::to_slice(body, buffer).map(|written| written.len()).map_err(|_| Refusal::TooLong)
}

/// Reads the start of a hello: the version to speak, if there is one, and how long the body is.
///
/// # Errors
/// [`Refusal::Broken`], [`Refusal::TooLong`]; [`Refusal::Version`] for the version alone.
pub fn read_prefix(prefix: &[u8; PREFIX_BYTES]) -> Result<(Result<u16, Refusal>, usize), Refusal> {
    if &prefix[..8] != MAGIC {
        return Err(Refusal::Broken);
    }
    let newest = u16::from_le_bytes([prefix[8], prefix[9]]);
    let oldest = u16::from_le_bytes([prefix[10], prefix[11]]);
    let len = usize::from(u16::from_le_bytes([prefix[12], prefix[13]]));
    if len > BODY_MAX_BYTES {
        return Err(Refusal::TooLong);
    }
    let version = newest.min(VERSION);
    let is_spoken = version >= oldest && version >= OLDEST_VERSION;
    Ok((if is_spoken { Ok(version) } else { Err(Refusal::Version) }, len))
}

/// The second message: the acceptor goes on with this version and nonce, or refuses. It says nothing of itself yet.
pub fn write_challenge(version: u16, answer: Result<&Nonce, Refusal>) -> [u8; CHALLENGE_BYTES] {
    let mut bytes = [0; CHALLENGE_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..10].copy_from_slice(&version.to_le_bytes());
    match answer {
        Ok(nonce) => bytes[CHALLENGE_BYTES - NONCE_BYTES..].copy_from_slice(nonce),
        Err(refusal) => bytes[10] = refusal as u8,
    }
    bytes
}

/// Reads a challenge: whether the acceptor goes on.
///
/// # Errors
/// What the acceptor refuses for, on the outside; what is wrong with its bytes, within.
pub fn read_challenge(bytes: &[u8; CHALLENGE_BYTES]) -> Result<Result<u16, Refusal>, Refusal> {
    if &bytes[..8] != MAGIC {
        return Err(Refusal::Broken);
    }
    if bytes[10] != 0 {
        return Ok(Err(Refusal::of(bytes[10])));
    }
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    if (OLDEST_VERSION..=VERSION).contains(&version) { Ok(Ok(version)) } else { Err(Refusal::Version) }
}

/// Writes who the acceptor is, for a verdict.
///
/// # Errors
/// [`Refusal::TooLong`], [`Refusal::Broken`].
pub fn write_identity(identity: &Identity<'_>, buffer: &mut [u8; BODY_MAX_BYTES]) -> Result<usize, Refusal> {
    write_body(identity, identity, buffer)
}

/// Reads who the acceptor is.
///
/// # Errors
/// [`Refusal::Broken`].
pub fn read_identity(body: &[u8]) -> Result<Identity<'_>, Refusal> {
    let identity: Identity<'_> = postcard::from_bytes(body).map_err(|_| Refusal::Broken)?;
    if identity.is_sound() { Ok(identity) } else { Err(Refusal::Broken) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str) -> Identity<'_> {
        Identity { cluster_id: "c", node: NodeId(2), uuid: "u", run: EdgeId(u64::MAX), name }
    }

    #[test]
    fn a_hello_is_read_as_it_was_written() {
        let name = "n".repeat(128);
        let hello = Hello { role: Role::Member, to: NodeId(1), from: identity(&name), nonce: [255; 32] };
        let mut buffer = [0; PREFIX_BYTES + BODY_MAX_BYTES];
        let len = hello.write(&mut buffer).unwrap();
        let (version, body_len) = read_prefix(buffer.first_chunk().unwrap()).unwrap();
        assert_eq!((version, body_len), (Ok(VERSION), len - PREFIX_BYTES));
        assert_eq!(Hello::read(&buffer[PREFIX_BYTES..len]), Ok(hello));
    }

    #[test]
    fn nodes_agree_on_the_newest_version_that_both_speak() {
        let prefix = |newest: u16, oldest: u16| {
            let mut bytes = [0; PREFIX_BYTES];
            bytes[..8].copy_from_slice(MAGIC);
            bytes[8..10].copy_from_slice(&newest.to_le_bytes());
            bytes[10..12].copy_from_slice(&oldest.to_le_bytes());
            read_prefix(&bytes).unwrap().0
        };
        assert_eq!(prefix(VERSION + 3, VERSION), Ok(VERSION));
        assert_eq!(prefix(VERSION + 3, VERSION + 1), Err(Refusal::Version));
        assert_eq!(prefix(OLDEST_VERSION - 1, OLDEST_VERSION - 1), Err(Refusal::Version));
    }

    #[test]
    fn names_that_could_forge_a_log_line_are_refused() {
        let forged = Hello { role: Role::Member, to: NodeId(1), from: identity("n1\nn2"), nonce: [0; 32] };
        let bytes = postcard::to_stdvec(&forged).unwrap();
        assert_eq!(Hello::read(&bytes), Err(Refusal::Broken));
    }
}
