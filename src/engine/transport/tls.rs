//! TLS over TCP with our own rustls configuration: only the given authority is trusted, never the machine's own list.

use std::{fs, io, path::Path, sync::Arc};

use futures_util::future::BoxFuture;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio_rustls::TlsConnector;

use super::{CONNECT_LIMIT, ConnectError, IoStream, Link, Transport, tcp::dial};
use crate::{
    config::{Endpoint, TlsFiles},
    fleet::LinkCause,
};

/// Serves `tcp://` with `tls = { … }`.
pub struct TlsTransport;

struct TlsLink {
    host: String,
    port: u16,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl Transport for TlsTransport {
    fn scheme(&self) -> &'static str {
        "tls"
    }

    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>> {
        Box::pin(async move {
            let Endpoint::Tls { host, port, files } = endpoint else {
                return Err(ConnectError::new(LinkCause::Configuration, "not a TLS address"));
            };
            let name = ServerName::try_from(host.clone())
                .map_err(|_| ConnectError::new(LinkCause::Configuration, format!("{host:?} is neither a host name nor an address")))?;
            let connector = TlsConnector::from(Arc::new(client_config(files)?));
            Ok(Arc::new(TlsLink { host: host.clone(), port: *port, name, connector }) as Arc<dyn Link>)
        })
    }
}

impl Link for TlsLink {
    fn open(&self) -> BoxFuture<'_, Result<IoStream, ConnectError>> {
        Box::pin(async move {
            let tcp = dial(&self.host, self.port).await?;
            match tokio::time::timeout(CONNECT_LIMIT, self.connector.connect(self.name.clone(), tcp)).await {
                Ok(Ok(stream)) => Ok(Box::new(stream) as IoStream),
                Ok(Err(error)) => Err(explain(&self.host, self.port, &error)),
                Err(_) => Err(ConnectError::new(
                    LinkCause::NoAnswer,
                    format!("{} port {} accepts connections but does not answer the TLS handshake", self.host, self.port),
                )),
            }
        })
    }
}

fn client_config(files: &TlsFiles) -> Result<ClientConfig, ConnectError> {
    let wrong = |message: String| ConnectError::new(LinkCause::Configuration, message);
    let ca = files
        .ca
        .as_deref()
        .ok_or_else(|| wrong("tls needs the authority that signed the engine's certificate: tls = { ca = \"ca.pem\", … }".to_owned()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|error| wrong(format!("{}: not a usable authority: {error}", ca.display())))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots);
    match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => {
            let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|error| wrong(format!("{}: no unencrypted private key in it: {error}", key.display())))?;
            builder
                .with_client_auth_cert(certificates(cert)?, secret)
                .map_err(|error| wrong(format!("{} and {} do not belong together: {error}", cert.display(), key.display())))
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(_), None) => Err(wrong("tls has a cert but no key".to_owned())),
        (None, Some(_)) => Err(wrong("tls has a key but no cert".to_owned())),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(list) if !list.is_empty() => Ok(list),
        Ok(_) => Err(ConnectError::new(LinkCause::Configuration, format!("{}: no certificate in it (PEM expected)", path.display()))),
        Err(error) => Err(ConnectError::new(LinkCause::Configuration, format!("{}: {error}", path.display()))),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    fs::read(path).map_err(|error| ConnectError::new(LinkCause::Configuration, format!("{}: {error}", path.display())))
}

/// The sentence for a failure of the handshake.
fn explain(host: &str, port: u16, error: &io::Error) -> ConnectError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(cause) => ConnectError::new(LinkCause::Tls, sentence(&format!("{host} port {port}"), cause)),
        None => ConnectError::new(LinkCause::Unreachable, format!("{host} port {port}: {error} during the TLS handshake")),
    }
}

/// The sentence for a TLS failure that surfaces only at the first read, as a missing client certificate does in TLS 1.3.
pub(crate) fn explain_first_read(error: &io::Error) -> ConnectError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(cause) => ConnectError::new(LinkCause::Tls, sentence("the engine", cause)),
        None => ConnectError::new(LinkCause::Closed, error.to_string()),
    }
}

fn sentence(peer: &str, cause: &rustls::Error) -> String {
    use rustls::{AlertDescription as Alert, CertificateError as Cert, Error};
    match cause {
        Error::InvalidCertificate(Cert::NotValidForName | Cert::NotValidForNameContext { .. }) => {
            format!(
                "the certificate of {peer} is for another name ({cause}): use a name or address that is in it, or issue one for this address"
            )
        }
        Error::InvalidCertificate(Cert::UnknownIssuer) => format!("the certificate of {peer} was signed by another authority than tls.ca"),
        Error::InvalidCertificate(Cert::Expired | Cert::ExpiredContext { .. }) => {
            format!("the certificate of {peer} has expired: renew it (or mend the clock)")
        }
        Error::InvalidCertificate(Cert::NotValidYet | Cert::NotValidYetContext { .. }) => {
            format!("the certificate of {peer} is not valid yet: check the clocks")
        }
        Error::AlertReceived(
            Alert::BadCertificate | Alert::CertificateRequired | Alert::UnknownCA | Alert::CertificateUnknown | Alert::AccessDenied,
        ) => {
            format!("{peer} does not accept our certificate ({cause}): set tls.cert and tls.key to a pair its authority signed")
        }
        Error::InvalidMessage(_) => format!("{peer} does not speak TLS: remove tls from this host, or start dockerd with --tlsverify"),
        _ => format!("TLS with {peer} failed: {cause}"),
    }
}
