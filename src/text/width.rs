//! Widths in terminal cells, and cutting text to them with a visible sign.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// How many terminal cells `text` takes. `text` must be [clean](super::clean).
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { UnicodeWidthStr::width(text) }
}

/// `text` cut to at most `cells` cells; what was cut ends in `…`.
pub fn fit(text: &str, cells: usize) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(cells + 3);
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let next = width(grapheme);
        if used + next + 1 > cells {
            break;
        }
        out.push_str(grapheme);
        used += next;
    }
    if cells > 0 {
        out.push('…');
    }
    Cow::Owned(out)
}

/// Like [`fit`], but keeps the end: `…ternal/shop/web`, for paths and image names whose tail tells them apart.
pub fn fit_left(text: &str, cells: usize) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    let mut kept = Vec::new();
    let mut used = 0;
    for grapheme in text.graphemes(true).rev() {
        let next = width(grapheme);
        if used + next + 1 > cells {
            break;
        }
        kept.push(grapheme);
        used += next;
    }
    let mut out = String::with_capacity(cells + 3);
    if cells > 0 {
        out.push('…');
    }
    out.extend(kept.into_iter().rev());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_text_carries_a_sign() {
        assert_eq!(fit("1.0.1-22-7e56158", 8), "1.0.1-2…");
        assert_eq!(fit("web", 8), "web");
        assert_eq!(fit("web", 0), "");
        assert_eq!(fit_left("registry.internal/shop/web", 9), "…shop/web");
        assert_eq!(fit("日本語", 5), "日本…");
    }
}
