//! How wide a text is, without a font: by the widths of common sans-serif faces, rounded up, so
//! that a picture fits its text wherever it is looked at.

/// Per mille of the font's size that one character takes.
fn per_mille(c: char) -> i32 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 330,
        'f' | 't' | 'r' | 'I' | '(' | ')' | '[' | ']' | ' ' | '-' | '/' | '"' | '`' => 420,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' | '→' => 1_000,
        'A'..='Z' | '&' | '#' | '+' | '=' | '<' | '>' | '~' => 760,
        // Wide scripts and pictures take a square.
        c if u32::from(c) >= 0x1100 => 1_050,
        _ => 630,
    }
}

/// Width in pixels of a text at a font size.
pub(super) fn width(text: &str, size: i32) -> i32 {
    let sum: i32 = text.chars().map(per_mille).sum();
    (sum * size).div_euclid(1_000) + 1
}

/// The text, cut with an ellipsis where it would be wider than `max`.
pub(super) fn fit(text: &str, size: i32, max: i32) -> String {
    if width(text, size) <= max {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if width(&cut, size) + width(&c.to_string(), size) + width("…", size) > max {
            break;
        }
        cut.push(c);
    }
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_fits() {
        let long = "w".repeat(200);
        let cut = fit(&long, 12, 100);
        assert!(width(&cut, 12) <= 100 && cut.ends_with('…'), "{cut}");
        assert_eq!(fit("short", 12, 100), "short");
    }
}
