//! Is it a JWS at all? The compact serialization, read strictly (RFC 7515 sections 5.2 and 7.1).

use std::mem::MaybeUninit;

use base64_simd::{Out, URL_SAFE_NO_PAD};

use crate::RejectionKind;
use crate::token::JoseHeader;

/// The longest token that is looked at.
pub(crate) const MAX_TOKEN: usize = 16 * 1024;
/// The longest header segment that is decoded.
const MAX_HEADER: usize = 4 * 1024;
/// The longest signature there is: RSA with 8192 bits, in base64url.
const MAX_SIGNATURE: usize = 1_366;

const fn decoded(encoded: usize) -> usize {
    encoded.div_ceil(4).saturating_mul(3)
}

/// Room for the decoded segments of one token, on the stack and not even zeroed.
pub(crate) struct Scratch {
    header: [MaybeUninit<u8>; decoded(MAX_HEADER)],
    payload: [MaybeUninit<u8>; decoded(MAX_TOKEN)],
    signature: [MaybeUninit<u8>; decoded(MAX_SIGNATURE)],
}

impl Scratch {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            header: [const { MaybeUninit::uninit() }; decoded(MAX_HEADER)],
            payload: [const { MaybeUninit::uninit() }; decoded(MAX_TOKEN)],
            signature: [const { MaybeUninit::uninit() }; decoded(MAX_SIGNATURE)],
        }
    }
}

/// A token taken apart: three segments of strict base64url, and a strict JOSE header. Nothing of
/// it is trusted yet.
pub(crate) struct CompactJws<'a> {
    pub(crate) header: JoseHeader<'a>,
    /// The signing input: header and payload as they came, with the dot between them.
    pub(crate) message: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> CompactJws<'a> {
    pub(crate) fn parse(token: &'a [u8], scratch: &'a mut Scratch) -> Result<Self, RejectionKind> {
        const MALFORMED: RejectionKind = RejectionKind::MalformedToken;

        if token.len() > MAX_TOKEN {
            return Err(MALFORMED);
        }
        let first = memchr::memchr(b'.', token).ok_or(MALFORMED)?;
        let last = memchr::memrchr(b'.', token).ok_or(MALFORMED)?;
        let (message, signature) = token.split_at_checked(last).ok_or(MALFORMED)?;
        let (header, payload) = message.split_at_checked(first).ok_or(MALFORMED)?;
        let (payload, signature) = match (payload, signature) {
            ([b'.', payload @ ..], [b'.', signature @ ..]) => (payload, signature),
            // One dot only.
            _ => return Err(MALFORMED),
        };
        if header.len() > MAX_HEADER || memchr::memchr(b'.', payload).is_some() {
            return Err(MALFORMED);
        }
        if signature.len() > MAX_SIGNATURE {
            return Err(RejectionKind::InvalidSignature);
        }
        let header = decode(header, &mut scratch.header)?;
        let payload = decode(payload, &mut scratch.payload)?;
        let signature = decode(signature, &mut scratch.signature)?;
        Ok(Self { header: JoseHeader::parse(header)?, message, payload, signature })
    }
}

/// Base64url without padding; white space, the other alphabet and stray trailing bits are refused.
fn decode<'a>(segment: &[u8], room: &'a mut [MaybeUninit<u8>]) -> Result<&'a [u8], RejectionKind> {
    match URL_SAFE_NO_PAD.decode(segment, Out::from_uninit_slice(room)) {
        Ok(octets) => Ok(octets),
        Err(_) => Err(RejectionKind::MalformedToken),
    }
}
