//! What an operator can switch off.

/// What an operator can switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Users may add addresses to their accounts, and delete them.
    ThreepidChanges,
    /// The deprecated `POST /account/3pid` adds an address.
    DeprecatedAdd,
    /// Users may change and reset their passwords.
    PasswordChanges,
    /// Users may deactivate their accounts.
    Deactivation,
}

/// What the operator has left on.
#[derive(Clone, Debug)]
pub struct Offers(Vec<Offer>);

impl Offers {
    /// These and no others.
    pub fn new(offers: impl IntoIterator<Item = Offer>) -> Self {
        Self(offers.into_iter().collect())
    }

    /// Whether it is on.
    pub fn includes(&self, offer: Offer) -> bool {
        self.0.contains(&offer)
    }
}
