//! What an account says of its person: names, bio, picture, and the name to log in with.

use super::{Refusal, identifier::Username};
use crate::execute::Actor;
use events::{
    Personal,
    account::{Account, AccountEvent, Profile},
    ids::AccountId,
};

/// What a profile changes to; an absent field stays as it is, and `Some(None)` clears one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfileChange {
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// A few words of the person about themselves.
    pub bio: Option<Option<String>>,
    /// Where a picture is.
    pub avatar_url: Option<Option<String>>,
    /// Name to log in with.
    pub username: Option<Option<Username>>,
}

/// A change to what already is changes nothing, and leaves no event.
pub(super) fn update(
    state: &Account,
    actor: Option<&Actor>,
    account_id: AccountId,
    change: ProfileChange,
) -> Result<Vec<AccountEvent>, Refusal> {
    // Who may not change others learns nothing about whether there are others.
    let actor = actor.filter(|actor| actor.account_id == account_id || actor.role.administers());
    let actor = actor.ok_or(Refusal::NotOwnNorAdmin)?;
    let before = state.profile.as_ref().ok_or(Refusal::NotFound)?;
    if actor.account_id != account_id && before.role >= actor.role {
        return Err(Refusal::NotOwnNorAdmin);
    }
    let own = |text: String| Personal::new(account_id, text);
    let mut events = Vec::new();
    let mut after = before.clone();
    after.first_name = change.first_name.or(after.first_name);
    after.last_name = change.last_name.or(after.last_name);
    after.bio = change.bio.unwrap_or(after.bio);
    after.avatar_url = change.avatar_url.unwrap_or(after.avatar_url);
    if after != *before {
        let Profile { first_name, last_name, bio, avatar_url, .. } = after;
        events.push(AccountEvent::ProfileUpdated {
            first_name: own(first_name.unwrap_or_default()),
            last_name: own(last_name.unwrap_or_default()),
            bio: bio.map(own),
            avatar_url: avatar_url.map(own),
        });
    }
    if let Some(username) = change.username.map(|username| username.map(|name| name.as_str().to_owned()))
        && username != before.username
    {
        events.push(AccountEvent::UsernameChanged { username: username.map(own) });
    }
    Ok(events)
}
