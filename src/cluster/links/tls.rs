//! TLS of the links: both sides show a certificate, and both check it against `cluster.tls_ca`. Reads the files, and says what is wrong with them.
//!
//! The certificate of a node must name the host of its `cluster.advertise` address (a DNS name, or an IP address among its alternative names), and must be good for servers and
//! for clients. TLS does not replace the proof of the secret; it goes below it.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum LinkTlsError {
    #[error("certificate {} can't be used: {reason}; hint: cluster.tls_cert names a PEM file with the certificate and its chain", path.display())]
    Certificate { path: PathBuf, reason: String },
    #[error("key {} can't be used: {reason}; hint: cluster.tls_key names a PEM file with the private key", path.display())]
    Key { path: PathBuf, reason: String },
    #[error("authority {} can't be used: {reason}; hint: cluster.tls_ca names a PEM file with the certificates that sign those of the nodes", path.display())]
    Authority { path: PathBuf, reason: String },
    #[error("certificate {} and key {} can't be used: {reason}; hint: the key must be the certificate's", cert.display(), key.display())]
    Pair { cert: PathBuf, key: PathBuf, reason: String },
}

/// The files, as `[cluster]` names them.
#[derive(Clone, Debug)]
pub struct LinkTlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
}

/// A node's certificate, and whose certificates it trusts.
#[derive(Clone)]
pub struct LinkTls {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

impl fmt::Debug for LinkTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkTls")
    }
}

impl LinkTls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`LinkTlsError`].
    pub fn read(files: &LinkTlsFiles) -> Result<LinkTls, LinkTlsError> {
        let chain = certificates(&files.cert).map_err(|reason| LinkTlsError::Certificate { path: files.cert.clone(), reason })?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| LinkTlsError::Key { path: files.key.clone(), reason: words(&error) })?;
        let roots = Arc::new(authority(&files.ca)?);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let bad_pair =
            |error: rustls::Error| LinkTlsError::Pair { cert: files.cert.clone(), key: files.key.clone(), reason: error.to_string() };
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|error| LinkTlsError::Authority { path: files.ca.clone(), reason: error.to_string() })?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(bad_pair)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(bad_pair)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(bad_pair)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(bad_pair)?;
        Ok(LinkTls { client: Arc::new(client), server: Arc::new(server) })
    }
}

/// The name that the certificate at an address must bear: its host.
pub(super) fn server_name(address: &str) -> Option<ServerName<'static>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).ok()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| words(&error))?;
    if chain.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(chain) }
}

fn authority(path: &Path) -> Result<RootCertStore, LinkTlsError> {
    let bad = |reason: String| LinkTlsError::Authority { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path).map_err(bad)? {
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    Ok(roots)
}

/// An error of the PEM reader, never with what stands in the file.
fn words(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "it holds nothing of the kind".to_owned(),
        _ => "it is not valid PEM".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_address_is_the_name_to_check() {
        let shown = |address: &str| server_name(address).map(|name| name.to_str().into_owned());
        assert_eq!(shown("n1.example:7401").as_deref(), Some("n1.example"));
        assert_eq!(shown("10.0.0.1:7401").as_deref(), Some("10.0.0.1"));
        assert_eq!(shown("[::1]:7401").as_deref(), Some("::1"));
        assert_eq!(shown("not a host:1"), None);
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_its_key() {
        let none = PathBuf::from("/nowhere/x.pem");
        let error = LinkTls::read(&LinkTlsFiles { cert: none.clone(), key: none.clone(), ca: none }).unwrap_err().to_string();
        assert!(error.contains("/nowhere/x.pem") && error.contains("cluster.tls_cert"), "{error}");
    }
}
