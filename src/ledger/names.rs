//! The devices that a user's records name: each once, however many records name it.

use super::ids::DeviceId;
use super::packed::Name;

/// A table of names. A place that is free is used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    device: DeviceId,
    /// 0: the place is free.
    uses: u32,
}

impl Names {
    pub fn get(&self, name: Name) -> &DeviceId {
        &self.0[name.0 as usize].device
    }

    /// One more record names this device.
    pub fn take(&mut self, device: &DeviceId) -> Name {
        let known = self.0.iter().position(|entry| entry.uses > 0 && entry.device == *device);
        let place = known.or_else(|| self.0.iter().position(|entry| entry.uses == 0)).unwrap_or_else(|| {
            // Most users have one: no room is made for more ahead of time.
            self.0.reserve_exact(1 + self.0.len() / 4);
            self.0.push(Entry { device: device.clone(), uses: 0 });
            self.0.len() - 1
        });
        let entry = &mut self.0[place];
        if entry.uses == 0 {
            entry.device = device.clone();
        }
        entry.uses += 1;
        Name(place as u32)
    }

    /// One record less names it.
    pub fn release(&mut self, name: Name) {
        self.0[name.0 as usize].uses -= 1;
        while self.0.last().is_some_and(|entry| entry.uses == 0) {
            self.0.pop();
        }
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_once_and_its_place_is_used_again() {
        let device = |number: u32| DeviceId::parse(&format!("d{number}")).expect("a valid id");
        let mut names = Names::default();
        let (first, second) = (names.take(&device(1)), names.take(&device(2)));
        assert_eq!(names.take(&device(1)), first);
        names.release(first);
        assert_eq!(names.get(first), &device(1));
        names.release(first);
        assert_eq!((names.take(&device(3)), names.get(second)), (first, &device(2)));
        names.release(second);
        names.release(first);
        assert!(names.0.is_empty());
    }
}
