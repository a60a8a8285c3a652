use http::StatusCode;

/// The gRPC statuses that a refusal can have.
const PERMISSION_DENIED: i32 = 7;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// The HTTP statuses that a refusal can have, by the number that the documentation shows.
macro_rules! status_code {
    (400) => {
        StatusCode::BAD_REQUEST
    };
    (401) => {
        StatusCode::UNAUTHORIZED
    };
    (403) => {
        StatusCode::FORBIDDEN
    };
    (503) => {
        StatusCode::SERVICE_UNAVAILABLE
    };
}

/// The only table of reasons: reason, HTTP status, OAuth error code, gRPC status, and default description.
macro_rules! rejection_kinds {
    ($($(#[$doc:meta])* $kind:ident: $status:tt, $error:literal, $grpc:ident, $words:literal;)+) => {
        /// The reason of a [`Rejection`](crate::Rejection).
        ///
        /// The reason determines the HTTP status, the OAuth error code (RFC 6750 section 3.1; an empty field
        /// means none) and the gRPC status:
        ///
        #[doc = "| reason | HTTP | `error` | gRPC |"]
        #[doc = "|---|---|---|---|"]
        $(#[doc = concat!(
            "| [`", stringify!($kind), "`](Self::", stringify!($kind), ") | ", stringify!($status),
            " | ", $error, " | ", stringify!($grpc), " |"
        )])+
        ///
        /// # Example: the status of a reason
        ///
        /// ```
        /// use tower_jwt_auth::{Rejection, RejectionKind};
        ///
        /// let rejection = Rejection::from(RejectionKind::WrongAudience);
        /// assert_eq!(rejection.status(), 401);
        /// assert_eq!(rejection.error_code(), Some("invalid_token"));
        /// assert_eq!(rejection.grpc_status(), 16);
        /// assert_eq!(rejection.description(), "the token is for another audience");
        /// ```
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RejectionKind {
            $(
                $(#[$doc])*
                ///
                #[doc = concat!("Default description: \"", $words, "\".")]
                $kind,
            )+
        }

        impl RejectionKind {
            /// All reasons, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// The name of the variant, such as `WrongAudience`: for a metric label. Log events have it in the
            /// field `reason`.
            ///
            /// # Example: a metric label
            ///
            /// ```
            /// use tower_jwt_auth::RejectionKind;
            ///
            /// assert_eq!(RejectionKind::WrongAudience.as_str(), "WrongAudience");
            /// ```
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind),)+ }
            }

            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$kind => status_code!($status),)+ }
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
    /// The request has no credentials.
    MissingCredentials: 401, "", UNAUTHENTICATED,
        "no bearer token was given";
    /// The credentials have a scheme that the verifier does not accept, such as `Basic`.
    UnsupportedScheme: 401, "", UNAUTHENTICATED,
        "the credentials are not a bearer token";
    /// The request has more than one set of credentials: several `Authorization` headers, several
    /// credentials in one header (RFC 9110 section 5.3), or credentials in several sources of the layer.
    MultipleCredentials: 400, "invalid_request", UNAUTHENTICATED,
        "more than one set of credentials was given";
    /// The bearer token is empty or not a `token68` (RFC 9110 section 11.2), or `Authorization` does not begin
    /// with the name of a scheme. Also credentials of another scheme that are longer than 65 KiB, or contain
    /// hundreds of commas or quotation marks.
    MalformedCredentials: 400, "invalid_request", UNAUTHENTICATED,
        "the credentials are empty, too long or contain invalid characters";
    /// The token is in a cookie, and no page of an allowed origin made the request: see
    /// [`Source::cookie`](crate::Source::cookie). The token was not verified.
    ForeignOrigin: 403, "", PERMISSION_DENIED,
        "the cookie is not accepted from the origin of this request";
    /// The token is not a JWS in compact serialization (three parts in base64url), or its header is malformed or
    /// asks for encryption, compression or nesting.
    MalformedToken: 401, "invalid_token", UNAUTHENTICATED,
        "the token is malformed";
    /// The token, or its header, is longer than the verifier's limit, or the value of `Authorization` is longer
    /// than 65 KiB.
    TokenTooLong: 401, "invalid_token", UNAUTHENTICATED,
        "the token is too long";
    /// The token has a critical header parameter that is not supported (RFC 7515 section 4.1.11).
    UnsupportedCriticalHeader: 401, "invalid_token", UNAUTHENTICATED,
        "the token has a critical header parameter that is not supported";
    /// The algorithm of the token is unknown or not allowed. `none` is never allowed.
    UnsupportedAlgorithm: 401, "invalid_token", UNAUTHENTICATED,
        "the algorithm of the token is not accepted";
    /// No key matches the token's `kid` and algorithm; or several keys match, and the token does not select one:
    /// see [`JwkSet::from_keys`](crate::JwkSet::from_keys).
    UnknownKey: 401, "invalid_token", UNAUTHENTICATED,
        "the key of the token is unknown";
    /// The signature is wrong: none of the keys that match the header verifies it.
    InvalidSignature: 401, "invalid_token", UNAUTHENTICATED,
        "the signature of the token is invalid";
    /// The claims are not a JSON object, are nested more than 64 levels deep or have a duplicate name; or a claim
    /// that the verifier reads, such as `iss`, `aud` or `exp`, has the wrong type or is `null`.
    MalformedClaims: 401, "invalid_token", UNAUTHENTICATED,
        "the claims of the token are malformed";
    /// A required claim is absent. A claim that is required only to be present counts as absent if it is `null`,
    /// or if it is an empty `iss`, `sub`, `client_id`, `azp` or `jti`.
    MissingClaim: 401, "invalid_token", UNAUTHENTICATED,
        "the token lacks a required claim";
    /// The `iss` is not an expected issuer.
    WrongIssuer: 401, "invalid_token", UNAUTHENTICATED,
        "the token is from another issuer";
    /// The `aud` contains no expected audience.
    WrongAudience: 401, "invalid_token", UNAUTHENTICATED,
        "the token is for another audience";
    /// The `exp`, plus the verifier's leeway, is not in the future.
    ExpiredToken: 401, "invalid_token", UNAUTHENTICATED,
        "the token has expired";
    /// The `nbf` is further in the future than the verifier's leeway.
    ImmatureToken: 401, "invalid_token", UNAUTHENTICATED,
        "the token is not valid yet";
    /// The `iat` is further in the future than the verifier's leeway.
    IssuedInFuture: 401, "invalid_token", UNAUTHENTICATED,
        "the token was issued in the future";
    /// The `iat` is at least as long ago as the verifier's maximum age and its leeway together. By default there
    /// is no maximum age.
    TooOld: 401, "invalid_token", UNAUTHENTICATED,
        "the token is too old";
    /// The token is not an access token: the `typ` of its header is not `at+jwt`, `JWT` or absent, or it has a
    /// claim that marks an ID token, a refresh token, a logout token or an event. With
    /// [`require_rfc9068`](crate::JwtVerifier::require_rfc9068), the only `typ` is `at+jwt`.
    WrongTokenType: 401, "invalid_token", UNAUTHENTICATED,
        "the token is not an access token";
    /// The token is bound to its sender (`cnf`), and the verifier does not check a binding of this kind; or the request
    /// does not come from this sender: the token has the scheme `Bearer`, or the client certificate is missing or
    /// another one.
    UnconfirmedSender: 401, "invalid_token", UNAUTHENTICATED,
        "the token is bound to a sender that this request does not confirm";
    /// The token is not bound to its sender (`cnf`) in the way that the verifier requires, or that the scheme `DPoP`
    /// requires (RFC 9449 section 7.1).
    UnboundToken: 401, "invalid_token", UNAUTHENTICATED,
        "the token is not bound to its sender in the required way";
    /// The proof of possession (the header `DPoP`) is missing or not valid (RFC 9449 section 4.3). The token itself was
    /// accepted.
    InvalidDpopProof: 401, "invalid_dpop_proof", UNAUTHENTICATED,
        "the DPoP proof is missing or invalid";
    /// The proof of possession lacks the nonce of the server, or has an old one. The header `DPoP-Nonce` of the response
    /// contains the nonce for the next proof (RFC 9449 section 9).
    UseDpopNonce: 401, "use_dpop_nonce", UNAUTHENTICATED,
        "the DPoP proof must contain the nonce of this server";
    /// The token is valid, but of a workload that the verifier does not accept, such as a job of another repository:
    /// see the guide [`docs::providers`](crate::docs::providers).
    WrongWorkload: 401, "invalid_token", UNAUTHENTICATED,
        "the token is of another workload";
    /// The claims cannot be deserialized into the claims type of the application.
    UnexpectedClaims: 401, "invalid_token", UNAUTHENTICATED,
        "the claims of the token do not have the expected form";
    /// The token is valid but revoked: see [`DenyList`](crate::DenyList).
    RevokedToken: 401, "invalid_token", UNAUTHENTICATED,
        "the token was revoked";
    /// The token can be used once, and was used before: see [`OneTimeTokens`](crate::OneTimeTokens).
    UsedToken: 401, "invalid_token", UNAUTHENTICATED,
        "the token was used before, and can be used only once";
    /// The authorization server says that the token is not active (RFC 7662 section 2.2): it has expired, was revoked,
    /// or was never issued. The server does not tell which.
    InactiveToken: 401, "invalid_token", UNAUTHENTICATED,
        "the token is not active";
    /// A custom verifier or a check refuses the token, or a `TokenKinds` has no verifier for it.
    InvalidToken: 401, "invalid_token", UNAUTHENTICATED,
        "the token is invalid";
    /// The token is valid, but lacks a scope or another permission.
    InsufficientScope: 403, "insufficient_scope", PERMISSION_DENIED,
        "the token does not permit this request";
    /// The user must log in again, or with a stronger method (RFC 9470).
    InsufficientUserAuthentication: 401, "insufficient_user_authentication",
        UNAUTHENTICATED, "the user must log in again, or with a stronger method";
    /// The token cannot be verified at the moment: the keys, a database or another service is unavailable.
    Unavailable: 503, "", UNAVAILABLE,
        "the token cannot be verified at the moment";
}
