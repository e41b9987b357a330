//! TLS of the HTTP port: reads certificate and key, and says what is wrong with them.

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("certificate {} can't be used: {reason}; hint: http.tls_cert names a PEM file with the certificate and its chain", path.display())]
    Certificate { path: PathBuf, reason: String },
    #[error("key {} can't be used: {reason}; hint: http.tls_key names a PEM file with the private key", path.display())]
    Key { path: PathBuf, reason: String },
    #[error("certificate {} and key {} can't be used: {reason}; hint: the key must be the certificate's", cert.display(), key.display())]
    Pair { cert: PathBuf, key: PathBuf, reason: String },
}

/// Reads a certificate chain and its key.
///
/// # Errors
/// [`TlsError`].
pub fn server_config(cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let bad_cert = |reason: String| TlsError::Certificate { path: cert.to_owned(), reason };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(|error: pem::Error| bad_cert(words(&error)))?;
    if chain.is_empty() {
        return Err(bad_cert("there is no certificate in it".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::Key { path: key.to_owned(), reason: words(&error) })?;
    let bad_pair = |error: rustls::Error| TlsError::Pair { cert: cert.to_owned(), key: key.to_owned(), reason: error.to_string() };
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(bad_pair)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(bad_pair)
}

/// An error of the PEM reader, never with what stands in the file.
fn words(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "it holds nothing of the kind".to_owned(),
        _ => "it is not valid PEM".to_owned(),
    }
}
