//! A release as one text, small enough for a label: what runs says in full what it is, so that lost records can be put together again from
//! the hosts alone. Secrets stand in it by name, as everywhere.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::release::Release;

/// A label that unpacks to more than this is none of ours.
const LIMIT: usize = 1 << 20;

/// Packs it; `None` only for what has no JSON form, which no release is.
pub fn pack(release: &Release) -> Option<String> {
    let text = serde_json::to_vec(release).ok()?;
    let mut compress = Compress::new(Compression::best(), false);
    // Room for what cannot be made smaller, so that one call does.
    let mut packed = Vec::with_capacity(text.len() + text.len() / 100 + 64);
    match compress.compress_vec(&text, &mut packed, FlushCompress::Finish) {
        Ok(Status::StreamEnd) => Some(BASE64_STANDARD.encode(packed)),
        Ok(Status::Ok | Status::BufError) | Err(_) => None,
    }
}

/// Unpacks it; `None` for anything that was not packed by us.
pub fn unpack(text: &str) -> Option<Release> {
    let packed = BASE64_STANDARD.decode(text).ok()?;
    let mut decompress = Decompress::new(false);
    let mut unpacked = Vec::with_capacity((packed.len() * 8).clamp(4096, LIMIT));
    loop {
        let read = usize::try_from(decompress.total_in()).ok()?;
        match decompress.decompress_vec(packed.get(read..)?, &mut unpacked, FlushDecompress::Finish) {
            Ok(Status::StreamEnd) => return serde_json::from_slice(&unpacked).ok(),
            Ok(Status::Ok | Status::BufError) if unpacked.len() == unpacked.capacity() && unpacked.capacity() < LIMIT => {
                unpacked.reserve(unpacked.capacity());
            }
            Ok(Status::Ok | Status::BufError) | Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::plan::fixture::Shop;

    #[test]
    fn a_release_comes_back_as_it_was() {
        let release = Shop::of_web(2).with_db().release(3);
        let packed = pack(&release).unwrap();
        assert_eq!(unpack(&packed), Some(release));
        assert!(packed.len() < 4096, "{} bytes in every list of containers", packed.len());
    }

    proptest::proptest! {
        #[test]
        fn other_text_is_none(text in "[A-Za-z0-9+/=]{0,200}") {
            proptest::prop_assert_eq!(unpack(&text), None);
        }
    }

    #[test]
    fn a_bomb_is_none() {
        let mut compress = Compress::new(Compression::best(), false);
        let mut packed = Vec::with_capacity(1 << 20);
        let status = compress.compress_vec(&vec![b' '; 64 << 20], &mut packed, FlushCompress::Finish);
        assert_eq!(status.unwrap(), Status::StreamEnd);
        assert_eq!(unpack(&BASE64_STANDARD.encode(packed)), None);
    }
}
