//! The signs that stand with every colour, so that colour is never alone.

/// A sign with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Symbol {
    /// Bad now.
    Bad,
    /// The odd one out: drift.
    Odd,
    /// Under way.
    Progress,
    /// Done well.
    Done,
    /// Last known, not current.
    Stale,
    /// Where the cursor is, in lists whose rows carry no other sign of it.
    Cursor,
    /// A marked row.
    Mark,
    /// Between two facts on one line.
    Dot,
    /// A horizontal rule's cell.
    Rule,
    /// Text was cut here.
    Cut,
}

/// Which characters the signs are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolSet {
    /// `● ◆ ◐ ✔ ~`.
    Unicode,
    /// `* ! % + ~`: for terminals and locales that cannot show more.
    Ascii,
}

impl Symbol {
    /// Every sign.
    pub const ALL: &'static [Symbol] =
        &[Self::Bad, Self::Odd, Self::Progress, Self::Done, Self::Stale, Self::Cursor, Self::Mark, Self::Dot, Self::Rule, Self::Cut];

    /// Its name in theme files, its sign and its ASCII sign; each sign is one cell wide.
    const fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Bad => ("bad", "●", "*"),
            Self::Odd => ("odd", "◆", "!"),
            Self::Progress => ("progress", "◐", "%"),
            Self::Done => ("done", "✔", "+"),
            Self::Stale => ("stale", "~", "~"),
            Self::Cursor => ("cursor", "▸", ">"),
            Self::Mark => ("mark", "■", "#"),
            Self::Dot => ("dot", "·", "-"),
            Self::Rule => ("rule", "─", "-"),
            Self::Cut => ("cut", "…", ">"),
        }
    }

    /// Its name in theme files.
    pub const fn id(self) -> &'static str {
        self.row().0
    }

    /// Its sign in `set`.
    pub const fn of(self, set: SymbolSet) -> &'static str {
        match set {
            SymbolSet::Unicode => self.row().1,
            SymbolSet::Ascii => self.row().2,
        }
    }
}
