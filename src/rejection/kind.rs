use http::StatusCode;

/// The codes of gRPC that a refusal can have.
const PERMISSION_DENIED: i32 = 7;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// The one table: reason, HTTP status, OAuth error code, gRPC status, and the reason in words.
macro_rules! rejection_kinds {
    ($($(#[$doc:meta])* $kind:ident: $status:ident, $error:literal, $grpc:ident, $words:literal;)+) => {
        /// The reason of a [`Rejection`](crate::Rejection).
        ///
        /// The reasons and their answers are one table (RFC 6750 section 3.1):
        ///
        #[doc = "| reason | HTTP | `error` | gRPC | in words |"]
        #[doc = "|---|---|---|---|---|"]
        $(#[doc = concat!(
            "| `", stringify!($kind), "` | ", stringify!($status), " | ", $error, " | ",
            stringify!($grpc), " | ", $words, " |"
        )])+
        ///
        /// # Example: from a reason to the answers
        ///
        /// ```
        /// use tower_jwt_auth::{Rejection, RejectionKind};
        ///
        /// let rejection = Rejection::from(RejectionKind::WrongAudience);
        /// assert_eq!(rejection.status(), 401);
        /// assert_eq!(rejection.error_code(), Some("invalid_token"));
        /// assert_eq!(rejection.grpc_status(), 16);
        /// ```
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RejectionKind { $($(#[$doc])* $kind,)+ }

        impl RejectionKind {
            /// All of them, in the order of the table.
            ///
            /// # Example: what they have in common
            ///
            /// ```
            /// use tower_jwt_auth::{Rejection, RejectionKind};
            ///
            /// let refuses = |kind| Rejection::from(kind).status().as_u16() >= 400;
            /// assert!(RejectionKind::ALL.iter().copied().all(refuses));
            /// ```
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)+ }
            }

            pub(crate) fn error_code(self) -> Option<&'static str> {
                let code = match self { $(Self::$kind => $error,)+ };
                (!code.is_empty()).then_some(code)
            }

            pub(crate) fn grpc_status(self) -> i32 {
                match self { $(Self::$kind => $grpc,)+ }
            }

            pub(crate) fn description(self) -> &'static str {
                match self { $(Self::$kind => $words,)+ }
            }
        }
    };
}

rejection_kinds! {
    /// No credentials in the request.
    MissingCredentials: UNAUTHORIZED, "", UNAUTHENTICATED,
        "no bearer token was given";
    /// Credentials of another scheme only, such as `Basic`.
    UnsupportedScheme: UNAUTHORIZED, "", UNAUTHENTICATED,
        "the credentials are not a bearer token";
    /// More than one set of credentials (RFC 9110 section 5.3).
    MultipleCredentials: BAD_REQUEST, "invalid_request", UNAUTHENTICATED,
        "more than one set of credentials was given";
    /// A bearer token that is empty or not a `token68` (RFC 9110 section 11.2), or a value of another
    /// scheme that is too long to be read.
    MalformedCredentials: BAD_REQUEST, "invalid_request", UNAUTHENTICATED,
        "the credentials are empty, too long or hold characters that they must not";
    /// Not a signed token in the compact serialization, or one that asks for what a JWT must not.
    MalformedToken: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token is malformed";
    /// The token, or its header, is longer than the verifier's limit.
    TokenTooLong: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token is too long";
    /// A critical header parameter that is not understood (RFC 7515 section 4.1.11).
    UnsupportedCriticalHeader: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token has a critical header parameter that is not supported";
    /// An algorithm that is unknown or not allowed here, `none` among them.
    UnsupportedAlgorithm: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the algorithm of the token is not accepted";
    /// No key, or more than one, for the token's `kid` and algorithm.
    UnknownKey: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the key of the token is not known";
    /// The signature does not hold.
    InvalidSignature: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the signature of the token is invalid";
    /// The claims are not a JSON object, a name is duplicated in it, or a registered claim has the
    /// wrong type.
    MalformedClaims: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the claims of the token are malformed";
    /// A required claim is absent, or has no value.
    MissingClaim: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token lacks a required claim";
    /// Issued by somebody else.
    WrongIssuer: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token is from another issuer";
    /// Meant for somebody else.
    WrongAudience: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token is for another audience";
    /// Past its `exp`.
    ExpiredToken: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token has expired";
    /// Before its `nbf`.
    ImmatureToken: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token is not valid yet";
    /// Its `iat` lies in the future.
    IssuedInFuture: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token was issued in the future";
    /// Issued longer ago than the maximum age allows.
    TooOld: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token is too old";
    /// Not an access token: another `typ`, or a claim that names the token an ID token, a refresh
    /// token, a logout token or an event.
    WrongTokenType: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token is not an access token";
    /// Bound to its sender (`cnf`), whom nothing here checks.
    UnconfirmedSender: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token is bound to its sender and cannot be used as a bearer token";
    /// The claims do not fit the type that the application reads them into.
    UnexpectedClaims: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the claims of the token are not those expected";
    /// A rule of the application's refuses the token.
    InvalidToken: UNAUTHORIZED, "invalid_token", UNAUTHENTICATED,
        "the token is invalid";
    /// The token is good but does not permit this.
    InsufficientScope: FORBIDDEN, "insufficient_scope", PERMISSION_DENIED,
        "the token does not permit this";
    /// The user has to authenticate more strongly or anew (RFC 9470).
    InsufficientUserAuthentication: UNAUTHORIZED, "insufficient_user_authentication",
        UNAUTHENTICATED, "the user has to authenticate more strongly or anew";
    /// The token cannot be verified at the moment: the keys, a database or another service that is asked
    /// about it does not answer.
    Unavailable: SERVICE_UNAVAILABLE, "", UNAVAILABLE,
        "the token cannot be checked at the moment";
}
