//! The compact serialization of a JWS, parsed strictly (RFC 7515 sections 5.2 and 7.1).

use std::mem::MaybeUninit;

use base64_simd::{Out, URL_SAFE_NO_PAD};

use crate::rejection::RejectionKind;
use crate::token::header::JoseHeader;
use crate::token::known_header;

/// The longest token, and the longest header segment, in bytes of base64url.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) token: usize,
    pub(crate) header: usize,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self { token: 16 * 1024, header: 4 * 1024 };
    /// The largest limits that a verifier can have.
    pub(crate) const LARGEST: Self = Self { token: 64 * 1024, header: 16 * 1024 };

    pub(crate) fn allow(self, token: &[u8]) -> bool {
        token.len() <= self.token
            && memchr::memchr(b'.', token).is_none_or(|header| header <= self.header)
    }
}

/// The longest signature, in base64url: the 4627 bytes of ML-DSA-87.
const MAX_SIGNATURE: usize = 6_170;

/// The longest signature that is decoded on the stack, in base64url: RSA with 8192 bits. Only signatures of ML-DSA are
/// longer.
const MAX_ON_STACK: usize = 1_366;

const fn decoded(encoded: usize) -> usize {
    encoded.div_ceil(4).saturating_mul(3)
}

/// Buffers for the decoded segments of one token.
pub(crate) struct Scratch {
    known: known_header::Texts,
    header: Buffer<{ decoded(Limits::DEFAULT.header) }>,
    payload: Buffer<{ decoded(Limits::DEFAULT.token) }>,
    signature: Buffer<{ decoded(MAX_ON_STACK) }>,
}

impl Scratch {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            known: known_header::NO_TEXTS,
            header: Buffer::new(),
            payload: Buffer::new(),
            signature: Buffer::new(),
        }
    }
}

/// On the stack and not zeroed; on the heap only for a segment beyond the default limits, and for a signature that is
/// longer than one of RSA.
struct Buffer<const N: usize> {
    stack: [MaybeUninit<u8>; N],
    heap: Vec<u8>,
}

impl<const N: usize> Buffer<N> {
    #[inline]
    fn new() -> Self {
        Self { stack: [const { MaybeUninit::uninit() }; N], heap: Vec::new() }
    }

    /// Decodes base64url without padding. White space, the other alphabet and non-zero trailing
    /// bits are refused.
    fn decode(&mut self, segment: &[u8]) -> Result<&[u8], RejectionKind> {
        let length = decoded(segment.len());
        let buffer = if length <= N {
            self.stack.as_mut_slice()
        } else {
            self.heap.reserve_exact(length);
            self.heap.spare_capacity_mut()
        };
        match URL_SAFE_NO_PAD.decode(segment, Out::from_uninit_slice(buffer)) {
            Ok(bytes) => Ok(bytes),
            Err(_) => Err(RejectionKind::MalformedToken),
        }
    }
}

/// A parsed token: three segments of strict base64url, and a strict JOSE header. Its content is not
/// trusted yet.
pub(crate) struct CompactJws<'a> {
    pub(crate) header: JoseHeader<'a>,
    /// Whether the header is a remembered one.
    is_known: bool,
    /// The signing input: header and payload as received, with the dot between them.
    pub(crate) message: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> CompactJws<'a> {
    pub(crate) fn parse(
        token: &'a [u8],
        limits: Limits,
        scratch: &'a mut Scratch,
    ) -> Result<Self, RejectionKind> {
        let Segments { header, message, payload, signature } = Segments::split(token, limits)?;
        let known = known_header::find(header, &mut scratch.known);
        let header = match known {
            Some(_) => &[],
            None => scratch.header.decode(header)?,
        };
        let payload = scratch.payload.decode(payload)?;
        let signature = scratch.signature.decode(signature)?;
        let is_known = known.is_some();
        let header = match known {
            Some(known) => known,
            None => JoseHeader::parse(header)?,
        };
        Ok(Self { header, is_known, message, payload, signature })
    }

    /// Remembers the header, since the signature is valid.
    #[inline]
    pub(crate) fn remember_header(&self) {
        if !self.is_known
            && let Some(segment) = self.message.split(|byte| *byte == b'.').next()
        {
            known_header::remember(segment, &self.header);
        }
    }

    /// Decodes the payload only. The caller has checked the length of the token.
    pub(crate) fn decode_payload<'s>(
        token: &[u8],
        scratch: &'s mut Scratch,
    ) -> Result<&'s [u8], RejectionKind> {
        let payload = token.split(|byte| *byte == b'.').nth(1);
        scratch.payload.decode(payload.ok_or(RejectionKind::MalformedToken)?)
    }
}

/// The three segments of a token. The header is not parsed yet.
pub(crate) struct Segments<'a> {
    pub(crate) header: &'a [u8],
    pub(crate) message: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> Segments<'a> {
    /// The segments, decoded.
    pub(crate) fn decode(
        token: &'a [u8],
        limits: Limits,
        scratch: &'a mut Scratch,
    ) -> Result<Self, RejectionKind> {
        let Self { header, message, payload, signature } = Self::split(token, limits)?;
        let header = scratch.header.decode(header)?;
        let payload = scratch.payload.decode(payload)?;
        let signature = scratch.signature.decode(signature)?;
        Ok(Self { header, message, payload, signature })
    }

    /// The segments as received.
    #[inline]
    fn split(token: &'a [u8], limits: Limits) -> Result<Self, RejectionKind> {
        const MALFORMED: RejectionKind = RejectionKind::MalformedToken;

        if token.len() > limits.token {
            return Err(RejectionKind::TokenTooLong);
        }
        let first = memchr::memchr(b'.', token).ok_or(MALFORMED)?;
        let last = memchr::memrchr(b'.', token).ok_or(MALFORMED)?;
        let (message, signature) = token.split_at_checked(last).ok_or(MALFORMED)?;
        let (header, payload) = message.split_at_checked(first).ok_or(MALFORMED)?;
        let (payload, signature) = match (payload, signature) {
            ([b'.', payload @ ..], [b'.', signature @ ..]) => (payload, signature),
            // There is only one dot.
            _ => return Err(MALFORMED),
        };
        if memchr::memchr(b'.', payload).is_some() {
            return Err(MALFORMED);
        }
        if header.len() > limits.header {
            return Err(RejectionKind::TokenTooLong);
        }
        if signature.len() > MAX_SIGNATURE {
            return Err(RejectionKind::InvalidSignature);
        }
        Ok(Self { header, message, payload, signature })
    }
}
