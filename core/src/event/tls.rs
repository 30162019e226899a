//! Why TLS failed: the kinds of TLS errors.
//!
//! Invariant: a failure's number is its place in `ALL`, so that a kind has room for it.

use std::fmt;

/// Why TLS failed.
///
/// The terms are those of X.509 (RFC 5280) for certificates, and those of the alerts of TLS
/// (RFC 8446, section 6) for the rest.
///
/// ```
/// use isosocket::{ErrorKind, TlsFailure};
///
/// let kind = ErrorKind::Tls(TlsFailure::WrongName);
/// assert_eq!(kind.to_string(), "TLS failed: the certificate is for another name");
/// ```
///
/// ## Platform-specific
/// - **Native:** rustls reports all of these. Of the system's library (the feature
///   `native-tls`) OpenSSL reports all that it can be asked for; Schannel and
///   Security.framework report only [`Other`](TlsFailure::Other).
/// - **Web:** a browser reports none.
///
#[doc = concat!(
    "Guide: [what TLS refuses](https://docs.rs/isosocket/",
    env!("CARGO_PKG_VERSION"),
    "/isosocket/guide/native/#what-tls-refuses)."
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The certificate, or that of an issuer, has expired. Or the clock is wrong.
    Expired,
    /// The certificate, or that of an issuer, is not valid yet. Or the clock is wrong.
    NotYetValid,
    /// The certificate is for another name, or for another address.
    WrongName,
    /// The issuer of the certificate is not trusted, or is missing in the chain. A
    /// certificate that is signed by itself is one of these.
    UnknownIssuer,
    /// An issuer in the chain is no certificate authority, or the chain is longer than an
    /// authority allows (RFC 5280, 4.2.1.9: basic constraints).
    InvalidIssuer,
    /// An issuer in the chain may not issue certificates for this name (RFC 5280, 4.2.1.10).
    NameConstraint,
    /// The certificate is for another purpose: for clients only, or for an authority (RFC
    /// 5280, 4.2.1.12).
    WrongPurpose,
    /// The certificate has a critical extension that the TLS library does not know.
    UnhandledCriticalExtension,
    /// A signature is wrong: of the certificate, of an issuer's, or of the handshake. The
    /// server then has another key than its certificate says. rustls also reports so a key
    /// that is too short.
    BadSignature,
    /// A signature's algorithm, or a key, is too weak or is not supported, such as SHA-1.
    UnsupportedAlgorithm,
    /// The certificate, or that of an issuer, was revoked.
    Revoked,
    /// The program demands lists of what was revoked, and has none of the issuer, or one
    /// that has expired.
    UnknownRevocationStatus,
    /// The certificate cannot be read.
    BadCertificate,
    /// The server has only versions of TLS that are too old: 1.1, 1.0 or SSL.
    ProtocolVersion,
    /// The server can do TLS 1.3, and something made it choose an older version. It may be an
    /// attack (RFC 8446, 4.1.3).
    Downgrade,
    /// The two have no cipher, key exchange or signature in common. Or the server says so.
    HandshakeFailure,
    /// The server chose what was not offered, or did what TLS forbids.
    IllegalParameter,
    /// The server ended TLS by an alert that is none of the above. The text names it.
    Alert,
    /// What came cannot be read as TLS. Perhaps the server has no TLS at this port.
    DecodeError,
    /// What came was changed on the way.
    BadRecordMac,
    /// Anything else.
    Other,
}

impl TlsFailure {
    /// All of them, each at the place of its number.
    pub(super) const ALL: [TlsFailure; 21] = [
        TlsFailure::Expired,
        TlsFailure::NotYetValid,
        TlsFailure::WrongName,
        TlsFailure::UnknownIssuer,
        TlsFailure::InvalidIssuer,
        TlsFailure::NameConstraint,
        TlsFailure::WrongPurpose,
        TlsFailure::UnhandledCriticalExtension,
        TlsFailure::BadSignature,
        TlsFailure::UnsupportedAlgorithm,
        TlsFailure::Revoked,
        TlsFailure::UnknownRevocationStatus,
        TlsFailure::BadCertificate,
        TlsFailure::ProtocolVersion,
        TlsFailure::Downgrade,
        TlsFailure::HandshakeFailure,
        TlsFailure::IllegalParameter,
        TlsFailure::Alert,
        TlsFailure::DecodeError,
        TlsFailure::BadRecordMac,
        TlsFailure::Other,
    ];

    /// The failure with this number, which [`ErrorKind`](crate::ErrorKind) keeps.
    pub(super) fn numbered(number: usize) -> Self {
        let failure = TlsFailure::ALL.get(number);
        failure.copied().unwrap_or(TlsFailure::Other)
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsFailure::Expired => "the certificate has expired",
            TlsFailure::NotYetValid => "the certificate is not valid yet",
            TlsFailure::WrongName => "the certificate is for another name",
            TlsFailure::UnknownIssuer => "the certificate's issuer is not trusted",
            TlsFailure::InvalidIssuer => "an issuer may not issue this certificate",
            TlsFailure::NameConstraint => "an issuer may not issue certificates for this name",
            TlsFailure::WrongPurpose => "the certificate is for another purpose",
            TlsFailure::UnhandledCriticalExtension => {
                "the certificate has an unknown critical extension"
            }
            TlsFailure::BadSignature => "a signature is wrong",
            TlsFailure::UnsupportedAlgorithm => "a signature or key is too weak",
            TlsFailure::Revoked => "the certificate was revoked",
            TlsFailure::UnknownRevocationStatus => "whether the certificate was revoked is unknown",
            TlsFailure::BadCertificate => "the certificate cannot be read",
            TlsFailure::ProtocolVersion => "the server's versions of TLS are too old",
            TlsFailure::Downgrade => "the version of TLS was downgraded",
            TlsFailure::HandshakeFailure => "no common cipher or parameters",
            TlsFailure::IllegalParameter => "the server broke the protocol of TLS",
            TlsFailure::Alert => "the server sent an alert",
            TlsFailure::DecodeError => "the server's answer is no TLS",
            TlsFailure::BadRecordMac => "a record was changed on the way",
            TlsFailure::Other => "no secure connection",
        })
    }
}
