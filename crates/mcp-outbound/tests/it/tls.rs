//! Whose certificate is believed.

use std::net::SocketAddr;
use std::sync::Arc;

use mcp_outbound::{HttpClient, OutboundClient, OutboundClientBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::support::{Script, get};

/// An https server for `idp.example.com`, and the PEM of the authority that vouches for it.
pub(crate) async fn serve_tls() -> (SocketAddr, String) {
    let own = rcgen::generate_simple_self_signed(["idp.example.com".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut buffer = [0; 4096];
                if stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                    let _ = stream.read(&mut buffer).await;
                }
            });
        }
    });
    (address, own.cert.pem())
}

/// What an operator writes whose issuer lives on an inner network.
pub(crate) fn on_premises() -> OutboundClientBuilder {
    OutboundClient::builder()
        .resolver(Script::new(&[&["127.0.0.1"]]))
        .dangerous()
        .allow_addresses(["127.0.0.1"])
}

// covers: PX25
#[tokio::test]
async fn an_opened_address_is_reached_by_https_with_a_certificate_of_ones_own() {
    let (address, pem) = serve_tls().await;
    let client = on_premises().with_root_certificate(pem).build().unwrap();
    let answer = client.execute(get(&format!("https://idp.example.com:{}/", address.port()))).await.unwrap();
    assert_eq!(answer.body(), "ok");

    let other_name =
        client.execute(get(&format!("https://evil.example.com:{}/", address.port()))).await.unwrap_err();
    assert!(other_name.is_connect(), "the certificate is for another name: {other_name:?}");
    let plain =
        client.execute(get(&format!("http://idp.example.com:{}/", address.port()))).await.unwrap_err();
    assert!(plain.is_blocked(), "an opened address is no reason for plain http: {plain:?}");
}

#[tokio::test]
async fn an_unknown_certificate_is_no_connection() {
    let (address, _) = serve_tls().await;
    let client = on_premises().build().unwrap();
    let error =
        client.execute(get(&format!("https://idp.example.com:{}/", address.port()))).await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}
