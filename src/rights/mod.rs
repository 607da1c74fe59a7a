//! What may leave this process: one value, asked where bytes would leave.
/// stub
#[derive(Clone, Debug)]
pub enum Rights {
    /// v
    View,
    /// a
    Act,
}
/// stub
#[derive(Clone, Debug, thiserror::Error)]
#[error("denied")]
pub struct Denied;
impl Rights {
    /// stub
    pub fn may(&self, _: &http::Method, _: &str, _: bool) -> Result<(), Denied> {
        Ok(())
    }
}
