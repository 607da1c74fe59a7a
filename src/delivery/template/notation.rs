//! Ports, volumes and images in their short notation, and back. Pure.

use std::{fmt, net::IpAddr, sync::Arc};

use crate::{
    delivery::spec::{ImageSource, PortSpec, Protocol, VolumeSource, VolumeSpec},
    written::plain_ok,
};

/// `80`, `8080:80`, `0.0.0.0:8080:80`, `127.0.0.1::80`, `[::1]:8080:80`, each with `/udp` or `/tcp`.
pub(super) fn port(text: &str) -> Result<PortSpec, String> {
    let (numbers, protocol) = match text.rsplit_once('/') {
        None => (text, Protocol::Tcp),
        Some((numbers, "tcp")) => (numbers, Protocol::Tcp),
        Some((numbers, "udp")) => (numbers, Protocol::Udp),
        Some((_, other)) => return Err(format!("{other:?} is no protocol: tcp or udp")),
    };
    let (rest, container) = numbers.rsplit_once(':').map_or((None, numbers), |(rest, container)| (Some(rest), container));
    let container = number(container)?;
    let Some(rest) = rest else { return Ok(PortSpec { container, protocol, host: None, address: None }) };
    let (address, host) = rest.rsplit_once(':').map_or((None, rest), |(address, host)| (Some(address), host));
    let host = if host.is_empty() && address.is_some() { None } else { Some(number(host)?) };
    let address = match address {
        None => None,
        Some(address) => {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
            Some(bare.parse::<IpAddr>().map_err(|_| format!("{address:?} is no address: an IP address stands there"))?)
        }
    };
    Ok(PortSpec { container, protocol, host, address })
}

fn number(text: &str) -> Result<u16, String> {
    if text.contains('-') {
        return Err(format!("{text:?} is a range: name each port"));
    }
    match text.parse::<u16>() {
        Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        Ok(_) | Err(_) => Err(format!("{text:?} is no port: 1 to 65535")),
    }
}

/// Where a container mounts something: absolute, and not everything.
pub(super) fn mount_point(target: &str) -> Result<Arc<str>, String> {
    match () {
        () if !target.starts_with('/') => Err(format!("{target:?} is no place in a container: an absolute path")),
        () if target.trim_matches('/').is_empty() => Err("/ would hide the whole image".to_owned()),
        () if target.split('/').any(|part| part == "..") => Err(format!("{target:?}: no .. in it")),
        () => Ok(Arc::from(target)),
    }
}

/// A directory of the host.
pub(super) fn host_directory(path: &str) -> Result<VolumeSource, String> {
    match () {
        () if !path.starts_with('/') => Err(format!("{path:?} is relative, and the repository is not on the hosts: an absolute path")),
        () if path.split('/').any(|part| part == "..") => Err(format!("{path:?}: no .. in it")),
        () => Ok(VolumeSource::Host(Arc::from(path))),
    }
}

/// A volume of ours.
pub(super) fn own_volume(name: &str) -> Result<VolumeSource, String> {
    match plain_ok(name) {
        true => Ok(VolumeSource::Own(Arc::from(name))),
        false => Err(format!("{name:?} is no volume: lower-case letters, digits and -")),
    }
}

/// `data:/var/lib/data`, `/srv/data:/data`, each with `:ro` or `:rw`.
pub(super) fn volume(text: &str) -> Result<VolumeSpec, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [source, target] => (source, target, "rw"),
        [source, target, mode] => (source, target, mode),
        _ => return Err(format!("{text:?}: expected \"name:/path\" or \"/directory:/path\", with :ro where it is only read")),
    };
    let read_only = match mode {
        "ro" => true,
        "rw" => false,
        other => return Err(format!("{other:?}: expected ro or rw")),
    };
    let source = if source.starts_with(['/', '.', '~']) { host_directory(source)? } else { own_volume(source)? };
    Ok(VolumeSpec { source, target: mount_point(target)?, read_only })
}

/// Whether a text can name an image of a registry: `postgres:15.4`, `registry:5000/a/b@sha256:…`.
pub(super) fn is_reference(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:@".contains(c);
    let (name, tag) = split_reference(text);
    let registry = name.split('/').next().unwrap_or(name);
    let path = if name.contains('/') { name.split_at(registry.len()).1 } else { name };
    let host_ok = registry.chars().all(|c| c.is_ascii_alphanumeric() || ".-:_[]".contains(c));
    let tag_ok = tag.is_none_or(|tag| !tag.is_empty() && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-:@".contains(c)));
    text.len() <= 512
        && !name.is_empty()
        && path.chars().all(plain)
        && host_ok
        && tag_ok
        && !name.starts_with('/')
        && !name.ends_with('/')
        && !name.contains("//")
}

/// The name, and what stands behind it: a tag, a digest or both.
fn split_reference(text: &str) -> (&str, Option<&str>) {
    let slash = text.rfind('/').map_or(0, |at| at + 1);
    match text[slash..].find([':', '@']) {
        Some(at) => (&text[..slash + at], Some(&text[slash + at + 1..])),
        None => (text, None),
    }
}

/// Whether the same text may mean another image tomorrow.
pub(super) fn is_floating(reference: &str) -> bool {
    matches!(split_reference(reference).1, None | Some("latest"))
}

/// Shows a port as [`port`] reads it.
pub(super) struct PortText<'a>(pub &'a PortSpec);

impl fmt::Display for PortText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PortSpec { container, protocol, host, address } = self.0;
        match address {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            Some(IpAddr::V4(address)) => write!(f, "{address}:")?,
            None => {}
        }
        match host {
            Some(host) => write!(f, "{host}:")?,
            None if address.is_some() => f.write_str(":")?,
            None => {}
        }
        match protocol {
            Protocol::Tcp => write!(f, "{container}"),
            Protocol::Udp => write!(f, "{container}/udp"),
        }
    }
}

/// Shows a volume in one piece; an existing one as `external NAME`.
pub(super) struct VolumeText<'a>(pub &'a VolumeSpec);

impl fmt::Display for VolumeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.source {
            VolumeSource::Own(name) | VolumeSource::Host(name) => f.write_str(name)?,
            VolumeSource::External(name) => write!(f, "external {name}")?,
        }
        write!(f, ":{}{}", self.0.target, if self.0.read_only { ":ro" } else { "" })
    }
}

/// The image as the template writes it.
pub(super) fn image_text(image: &ImageSource) -> &Arc<str> {
    match image {
        ImageSource::Built(name) | ImageSource::Outside(name) => name,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ports_read_and_show() {
        for text in ["80", "53/udp", "8080:80", "0.0.0.0:8080:80", "127.0.0.1::80", "[::1]:8080:80", "[::]::80", "127.0.0.1:53:53/udp"] {
            assert_eq!(PortText(&port(text).unwrap()).to_string(), text);
        }
        for (text, hint) in [
            ("", "no port"),
            ("0", "no port"),
            ("65536", "no port"),
            ("+80", "no port"),
            ("8000-8010:80", "range"),
            (":80", "no port"),
            ("80/sctp", "protocol"),
            ("web:80:80", "address"),
        ] {
            let error = port(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn volumes_read_and_show() {
        for text in ["data:/var/lib/data", "/srv/a:/b:ro"] {
            assert_eq!(VolumeText(&volume(text).unwrap()).to_string(), text);
        }
        for (text, hint) in [
            ("/data", "expected"),
            ("data:data", "absolute"),
            ("./src:/src", "not on the hosts"),
            ("a:/b:z", "ro or rw"),
            ("Data:/b", "lower-case"),
            ("a:/", "whole image"),
            ("a:/b/../c", ".."),
        ] {
            let error = volume(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn references() {
        for text in ["postgres:15.4", "registry.internal:5000/shop/web", "ghcr.io/a/b", "a/b@sha256:0a", "x:Y_1.0"] {
            assert!(is_reference(text), "{text}");
        }
        for text in ["", "a b", "Web:1", "a/", "a:", "/a", "http://a/b", "ghcr.io/A/b"] {
            assert!(!is_reference(text), "{text}");
        }
        assert!(is_floating("registry:5000/web") && is_floating("web:latest") && !is_floating("web:1") && !is_floating("web@sha256:0a"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            let _ = (port(&text), volume(&text), is_reference(&text), is_floating(&text));
        }
    }
}
