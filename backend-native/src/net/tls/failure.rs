//! Which kind of failure an error of a TLS library is.
//!
//! Invariant: what is not known here is `Other`; a text is looked at only where a library
//! shows nothing else.

use isosocket_core::TlsFailure;

/// The kind of an error of rustls.
#[cfg(any(feature = "tls", feature = "webpki-roots"))]
pub(super) fn of_rustls(error: &rustls::Error) -> TlsFailure {
    use rustls::{AlertDescription, Error, PeerIncompatible, PeerMisbehaved};

    match error {
        Error::InvalidCertificate(certificate) => of_certificate(certificate),
        Error::InvalidCertRevocationList(_) => TlsFailure::UnknownRevocationStatus,
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | Error::AlertReceived(AlertDescription::ProtocolVersion) => TlsFailure::ProtocolVersion,
        Error::PeerIncompatible(_)
        | Error::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity,
        ) => TlsFailure::HandshakeFailure,
        Error::AlertReceived(_) => TlsFailure::Alert,
        Error::PeerMisbehaved(PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported) => {
            TlsFailure::Downgrade
        }
        Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. } => TlsFailure::IllegalParameter,
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => TlsFailure::DecodeError,
        Error::DecryptError => TlsFailure::BadRecordMac,
        _ => TlsFailure::Other,
    }
}

#[cfg(any(feature = "tls", feature = "webpki-roots"))]
fn of_certificate(error: &rustls::CertificateError) -> TlsFailure {
    use rustls::CertificateError;

    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFailure::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailure::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFailure::WrongName
        }
        CertificateError::UnknownIssuer => TlsFailure::UnknownIssuer,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            TlsFailure::WrongPurpose
        }
        CertificateError::UnhandledCriticalExtension => TlsFailure::UnhandledCriticalExtension,
        CertificateError::BadSignature => TlsFailure::BadSignature,
        CertificateError::Revoked => TlsFailure::Revoked,
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => {
            TlsFailure::UnknownRevocationStatus
        }
        CertificateError::BadEncoding => TlsFailure::BadCertificate,
        // These are of a crate that rustls does not show, or were renamed by it.
        other => by_text(&format!("{other:?}"), WEBPKI),
    }
}

/// Whether a certificate is refused because it is that of an authority.
#[cfg(any(feature = "tls", feature = "webpki-roots"))]
pub(super) fn is_of_authority(error: &rustls::Error) -> bool {
    format!("{error:?}").contains(AUTHORITY)
}

#[cfg(any(feature = "tls", feature = "webpki-roots"))]
const AUTHORITY: &str = "CaUsedAsEndEntity";

#[cfg(any(feature = "tls", feature = "webpki-roots"))]
const WEBPKI: &[(&str, TlsFailure)] = &[
    (AUTHORITY, TlsFailure::WrongPurpose),
    ("EndEntityUsedAsCa", TlsFailure::InvalidIssuer),
    ("PathLenConstraintViolated", TlsFailure::InvalidIssuer),
    ("NameConstraintViolation", TlsFailure::NameConstraint),
    (
        "UnsupportedCriticalExtension",
        TlsFailure::UnhandledCriticalExtension,
    ),
    (
        "UnsupportedSignatureAlgorithm",
        TlsFailure::UnsupportedAlgorithm,
    ),
    ("MalformedExtensions", TlsFailure::BadCertificate),
    ("UnsupportedCertVersion", TlsFailure::BadCertificate),
];

/// The kind of an error of the system's library. It shows a text only. These are OpenSSL's,
/// which are the same in all of its versions, but for a hyphen.
#[cfg(feature = "native-tls")]
pub(super) fn of_system(error: &impl std::fmt::Display) -> TlsFailure {
    by_text(&error.to_string(), OPENSSL)
}

#[cfg(feature = "native-tls")]
const OPENSSL: &[(&str, TlsFailure)] = &[
    // What the server says, before what we say: some words are in both.
    ("alert protocol version", TlsFailure::ProtocolVersion),
    ("alert handshake failure", TlsFailure::HandshakeFailure),
    ("alert insufficient security", TlsFailure::HandshakeFailure),
    (" alert ", TlsFailure::Alert),
    // Of certificates: what `X509_verify_cert_error_string` gives.
    ("certificate has expired", TlsFailure::Expired),
    ("certificate is not yet valid", TlsFailure::NotYetValid),
    ("ostname mismatch", TlsFailure::WrongName),
    ("IP address mismatch", TlsFailure::WrongName),
    ("issuer certificate", TlsFailure::UnknownIssuer),
    (
        "unable to verify the first certificate",
        TlsFailure::UnknownIssuer,
    ),
    ("self-signed certificate", TlsFailure::UnknownIssuer),
    ("self signed certificate", TlsFailure::UnknownIssuer),
    ("invalid CA certificate", TlsFailure::InvalidIssuer),
    ("path length constraint", TlsFailure::InvalidIssuer),
    ("subtree violation", TlsFailure::NameConstraint),
    ("certificate purpose", TlsFailure::WrongPurpose),
    (
        "unhandled critical extension",
        TlsFailure::UnhandledCriticalExtension,
    ),
    ("certificate signature failure", TlsFailure::BadSignature),
    ("too weak", TlsFailure::UnsupportedAlgorithm),
    ("certificate revoked", TlsFailure::Revoked),
    (
        "unable to get certificate CRL",
        TlsFailure::UnknownRevocationStatus,
    ),
    // Of the protocol: the reasons of its error codes.
    ("unsupported protocol", TlsFailure::ProtocolVersion),
    ("inappropriate fallback", TlsFailure::Downgrade),
    ("cipher returned", TlsFailure::IllegalParameter),
    ("bad signature", TlsFailure::BadSignature),
    ("bad record mac", TlsFailure::BadRecordMac),
    ("wrong version number", TlsFailure::DecodeError),
    ("unexpected message", TlsFailure::IllegalParameter),
    // After all of certificates, of which some say this as well.
    ("asn1 encoding routines", TlsFailure::BadCertificate),
];

/// The first of these that a text contains.
fn by_text(text: &str, table: &[(&str, TlsFailure)]) -> TlsFailure {
    let found = table.iter().find(|(words, _)| text.contains(words));
    found.map_or(TlsFailure::Other, |(_, failure)| *failure)
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;
    use rustls::{
        AlertDescription as Alert, CertificateError, Error, InvalidMessage, PeerIncompatible,
        PeerMisbehaved,
    };

    #[test]
    fn each_error_of_rustls_has_a_kind() {
        let incompatible = Error::PeerIncompatible;
        for (error, kind) in [
            (
                Error::InvalidCertificate(CertificateError::Expired),
                TlsFailure::Expired,
            ),
            (
                Error::InvalidCertRevocationList(rustls::CertRevocationListError::ParseError),
                TlsFailure::UnknownRevocationStatus,
            ),
            (
                incompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                TlsFailure::ProtocolVersion,
            ),
            (
                incompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig),
                TlsFailure::ProtocolVersion,
            ),
            (
                Error::AlertReceived(Alert::ProtocolVersion),
                TlsFailure::ProtocolVersion,
            ),
            (
                incompatible(PeerIncompatible::NoCipherSuitesInCommon),
                TlsFailure::HandshakeFailure,
            ),
            (
                Error::AlertReceived(Alert::HandshakeFailure),
                TlsFailure::HandshakeFailure,
            ),
            (
                Error::AlertReceived(Alert::InsufficientSecurity),
                TlsFailure::HandshakeFailure,
            ),
            (
                Error::AlertReceived(Alert::InternalError),
                TlsFailure::Alert,
            ),
            (
                Error::PeerMisbehaved(
                    PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported,
                ),
                TlsFailure::Downgrade,
            ),
            (
                Error::PeerMisbehaved(PeerMisbehaved::IllegalMiddleboxChangeCipherSpec),
                TlsFailure::IllegalParameter,
            ),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                TlsFailure::DecodeError,
            ),
            (Error::PeerSentOversizedRecord, TlsFailure::DecodeError),
            (Error::DecryptError, TlsFailure::BadRecordMac),
            (Error::EncryptError, TlsFailure::Other),
        ] {
            assert_eq!(of_rustls(&error), kind, "{error:?}");
        }
    }

    #[test]
    fn each_error_of_a_certificate_has_a_kind() {
        for (error, kind) in [
            (CertificateError::NotValidYet, TlsFailure::NotYetValid),
            (CertificateError::NotValidForName, TlsFailure::WrongName),
            (CertificateError::UnknownIssuer, TlsFailure::UnknownIssuer),
            (CertificateError::InvalidPurpose, TlsFailure::WrongPurpose),
            (
                CertificateError::UnhandledCriticalExtension,
                TlsFailure::UnhandledCriticalExtension,
            ),
            (CertificateError::BadSignature, TlsFailure::BadSignature),
            (CertificateError::Revoked, TlsFailure::Revoked),
            (
                CertificateError::UnknownRevocationStatus,
                TlsFailure::UnknownRevocationStatus,
            ),
            (
                CertificateError::ExpiredRevocationList,
                TlsFailure::UnknownRevocationStatus,
            ),
            (CertificateError::BadEncoding, TlsFailure::BadCertificate),
            (
                CertificateError::ApplicationVerificationFailure,
                TlsFailure::Other,
            ),
        ] {
            let error = Error::InvalidCertificate(error);
            assert_eq!(of_rustls(&error), kind, "{error:?}");
            assert!(!is_of_authority(&error));
        }
    }
}
