/// The form of the tokens that a verifier accepts. Only the verifiers of this crate can have another one than
/// [`ANY`](Self::ANY).
#[derive(Clone, Copy, Debug)]
pub struct TokenForm {
    is_jws: bool,
}

impl TokenForm {
    /// Any text that is a `token68`.
    pub(crate) const ANY: Self = Self { is_jws: false };

    /// Only a JWS in compact serialization: a text that is not a `token68` is refused, and causes nothing else.
    pub(crate) const JWS: Self = Self { is_jws: true };

    pub(crate) fn is_jws(self) -> bool {
        self.is_jws
    }
}
