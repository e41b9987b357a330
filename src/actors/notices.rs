//! Which notices were sent to which device and not seen yet: a short memory, so that each is counted as seen once.

use std::collections::VecDeque;

use crate::ledger::ids::{DeviceId, EngagementId};

const REMEMBERED_MAX: usize = 64;

/// The last notices that wait for their `seen`.
#[derive(Debug, Default)]
pub struct Notices {
    unseen: VecDeque<(EngagementId, DeviceId)>,
}

impl Notices {
    /// Notes that one was sent. The same id sent again is one more to be seen.
    pub fn sent(&mut self, id: EngagementId, device: DeviceId) {
        if self.unseen.len() >= REMEMBERED_MAX {
            self.unseen.pop_front();
        }
        self.unseen.push_back((id, device));
    }

    /// Whether this is the first word of it.
    pub fn seen(&mut self, id: &EngagementId, device: &DeviceId) -> bool {
        match self.unseen.iter().position(|(unseen, sent_to)| unseen == id && sent_to == device) {
            Some(at) => self.unseen.remove(at).is_some(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_seen_once_per_device() {
        let (id, phone, laptop) =
            (EngagementId::parse("flash").unwrap(), DeviceId::parse("phone").unwrap(), DeviceId::parse("laptop").unwrap());
        let mut notices = Notices::default();
        notices.sent(id.clone(), phone.clone());
        notices.sent(id.clone(), laptop.clone());
        assert!(notices.seen(&id, &phone));
        assert!(!notices.seen(&id, &phone));
        assert!(notices.seen(&id, &laptop));
    }
}
