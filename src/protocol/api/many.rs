//! A publish to many: `{"users":[…], "engagement":{…}}` or `{"items":[{"user":…, …}]}`, up to [`ITEMS_MAX`]. What is wrong with the body as a whole, or with the one
//! engagement, refuses all of it; an item that is wrong fails alone. Items are read one at a time, as they are published.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ledger::ids::{EngagementId, UserId};

use super::fields::{BodyError, Fields, text_of};
use super::publish::{FIELDS, ITEM_FIELDS, Publish};

/// Most users or items of one body.
pub const ITEMS_MAX: usize = 10_000;

const MANY_FIELDS: &[&str] = &["users", "engagement", "items"];

/// The body, before its items are read.
#[derive(Debug)]
pub enum Many<'a> {
    /// One engagement for each of these users.
    Users { users: Vec<&'a RawValue>, publish: Publish },
    /// Each item its own.
    Items(Vec<&'a RawValue>),
}

/// One item: what is known of it, and what is to be published to whom.
#[derive(Debug, PartialEq, Eq)]
pub struct Item {
    /// As far as it could be read.
    pub user: Option<UserId>,
    pub id: Option<EngagementId>,
    pub publish: Result<(UserId, Publish), BodyError>,
}

impl<'a> Many<'a> {
    /// Reads the body as a whole.
    ///
    /// # Errors
    /// [`BodyError`], which names the field.
    pub fn read(text: &'a [u8]) -> Result<Many<'a>, BodyError> {
        let fields = Fields::read(text, MANY_FIELDS)?;
        let users = fields.list("users", ITEMS_MAX)?;
        let items = fields.list("items", ITEMS_MAX)?;
        match (users, fields.raw("engagement"), items) {
            (Some(users), Some(engagement), None) => {
                let read = Fields::read(engagement.get().as_bytes(), FIELDS).and_then(|fields| Publish::from_fields(&fields));
                Ok(Many::Users { users, publish: read.map_err(|error| error.under("engagement"))? })
            }
            (Some(_), None, None) => Err(BodyError::bad("engagement", "is needed with `users`")),
            (None, Some(_), None) => Err(BodyError::bad("users", "is needed with `engagement`")),
            (None, None, Some(items)) => Ok(Many::Items(items)),
            (None, None, None) => Err(BodyError::Malformed("the body needs `users` and `engagement`, or `items`".to_owned())),
            (_, _, Some(_)) => Err(BodyError::bad("items", "can't stand beside `users` and `engagement`")),
        }
    }

    /// The items, in their order, each read when it is asked for.
    pub fn items(&self) -> Box<dyn ExactSizeIterator<Item = Item> + Send + '_> {
        match self {
            Many::Users { users, publish } => Box::new(users.iter().enumerate().map(|(index, user)| item_for(index, user, publish))),
            Many::Items(items) => Box::new(items.iter().enumerate().map(|(index, item)| item_of(index, item))),
        }
    }
}

fn item_for(index: usize, user: &RawValue, publish: &Publish) -> Item {
    let path = || format!("users[{index}]");
    let user = match text_of(user) {
        Some(text) => UserId::parse(&text).map_err(|error| BodyError::bad(path(), format!("is not an id: {error}"))),
        None => Err(BodyError::bad(path(), "must be a string")),
    };
    Item { user: user.as_ref().ok().cloned(), id: Some(publish.id().clone()), publish: user.map(|user| (user, publish.clone())) }
}

/// What names an item, read from one that is wrong otherwise.
#[derive(Default, Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

fn item_of(index: usize, item: &RawValue) -> Item {
    let fields = match Fields::read(item.get().as_bytes(), ITEM_FIELDS) {
        Ok(fields) => fields,
        Err(error) => {
            let Named { user, id } = serde_json::from_str(item.get()).unwrap_or_default();
            let user = user.and_then(text_of).and_then(|text| UserId::parse(&text).ok());
            let id = id.and_then(text_of).and_then(|text| EngagementId::parse(&text).ok());
            return Item { user, id, publish: Err(error.under(&format!("items[{index}]"))) };
        }
    };
    let user = fields.id("user", UserId::parse);
    let id = fields.id("id", EngagementId::parse);
    let (known_user, known_id) = (user.as_ref().ok().cloned(), id.ok());
    let publish = user.and_then(|user| Ok((user, Publish::from_fields(&fields)?)));
    Item { user: known_user, id: known_id, publish: publish.map_err(|error| error.under(&format!("items[{index}]"))) }
}
