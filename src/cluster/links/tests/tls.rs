//! Links over TLS, with certificates made for the test.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};

use super::super::*;
use super::support::{Node, SECRET, SOON, config, linked};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A node's certificate for a host, and the authority that it trusts.
fn tls(folder: &Path, (issuer, trusted): (&CertifiedIssuer<'static, KeyPair>, &CertifiedIssuer<'static, KeyPair>), host: &str) -> LinkTls {
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let [cert, key_file, ca] = ["cert.pem", "key.pem", "ca.pem"].map(|name| folder.join(name));
    fs::write(&cert, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    fs::write(&ca, trusted.pem()).unwrap();
    LinkTls::read(&LinkTlsFiles { cert, key: key_file, ca }).unwrap()
}

fn with(node: u64, tls: Option<LinkTls>) -> LinkConfig {
    LinkConfig { tls, ..config(node) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_certificates_of_one_authority_talk() {
    let folder = tempfile::tempdir().unwrap();
    let ca = authority();
    let make = |host: &str| Some(tls(folder.path(), (&ca, &ca), host));
    let (one, two) = linked(with(1, make("127.0.0.1")), with(2, make("127.0.0.1"))).await;
    let long = vec![9; 3_000_000];
    assert!(one.ask(2, &long, SOON * 5).await.unwrap() == long);
    assert!(two.ask(1, &long, SOON * 5).await.unwrap() == long);
    let mut guest = GuestConfig::new(LinkSecret::new(SECRET), "uuid-g".to_owned(), "newcomer".to_owned());
    let address = one.address.to_string();
    assert!(ask_as_guest(&address, &guest, Bytes::new()).await.is_err(), "a guest without a certificate");
    guest.tls = make("127.0.0.1");
    assert_eq!(ask_as_guest(&address, &guest, Bytes::from_static(b"hi")).await.unwrap(), "hi");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_authority_or_host_or_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, other) = (authority(), authority());
    let good = || Some(tls(folder.path(), (&ca, &ca), "127.0.0.1"));
    let bad = [("one of another authority", Some(tls(folder.path(), (&other, &ca), "127.0.0.1"))), ("none", None)];
    for (what, bad) in bad {
        let (one, two) = (Node::start(with(1, good())), Node::start(with(2, bad)));
        two.links.know(NodeId(1), one.address.to_string());
        one.links.know(NodeId(2), two.address.to_string());
        one.until_refused(Refusal::Tls).await;
        assert!(one.links.up().is_empty() && two.links.up().is_empty(), "{what}");
        one.links.stop().await;
        two.links.stop().await;
    }
    // The one who dials checks the host.
    let elsewhere = tls(folder.path(), (&ca, &ca), "127.0.0.2");
    let (one, two) = (Node::start(with(1, Some(elsewhere))), Node::start(with(2, good())));
    one.links.know(NodeId(2), two.address.to_string());
    two.links.know(NodeId(1), one.address.to_string());
    two.until_refused(Refusal::Tls).await;
    assert!(one.links.up().is_empty() && two.links.up().is_empty());
}

#[test]
fn files_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let ca = authority();
    tls(folder.path(), (&ca, &ca), "127.0.0.1");
    let [cert, key, ca_file, empty] = ["cert.pem", "key.pem", "ca.pem", "empty.pem"].map(|name| folder.path().join(name));
    fs::write(&empty, "").unwrap();
    let read = |cert: &Path, key: &Path, ca: &Path| {
        LinkTls::read(&LinkTlsFiles { cert: cert.to_owned(), key: key.to_owned(), ca: ca.to_owned() }).unwrap_err().to_string()
    };
    assert!(read(&empty, &key, &ca_file).contains("cluster.tls_cert"));
    assert!(read(&cert, &empty, &ca_file).contains("cluster.tls_key"));
    assert!(read(&cert, &key, &empty).contains("cluster.tls_ca"));
    fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(read(&cert, &key, &ca_file).contains("the key must be the certificate's"));
}
