//! What the opaque errors of this crate have in common.

/// Implements `Display`, `Debug` and `Error` for a struct with a `message`, a `source` and the
/// named field.
///
/// With the type of the field, it also adds the constructor `new` and `with_source`, both for this
/// crate only.
macro_rules! opaque_error {
    ($error:ident, $field:ident: $kind:ty) => {
        impl $error {
            pub(crate) fn new(
                $field: $kind,
                message: impl Into<std::borrow::Cow<'static, str>>,
            ) -> Self {
                Self { $field, message: message.into(), source: None }
            }

            pub(crate) fn with_source(
                mut self,
                source: impl std::error::Error + Send + Sync + 'static,
            ) -> Self {
                self.source = Some(Box::new(source));
                self
            }
        }

        $crate::opaque_error::opaque_error!($error, $field);
    };
    ($error:ident, $field:ident) => {
        impl std::fmt::Display for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.message)
            }
        }

        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($error))
                    .field(stringify!($field), &self.$field)
                    .field("message", &self.message)
                    .field("source", &self.source)
                    .finish()
            }
        }

        impl std::error::Error for $error {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                self.source.as_deref().map(|source| source as _)
            }
        }
    };
}

pub(crate) use opaque_error;
