//! Text fields of a form body, `multipart/form-data` or url-encoded. Small on purpose: the
//! sandbox's only client sends text parts.

/// Most fields that are read.
const FIELDS_MAX: usize = 100;

/// The fields in order; `None` when the body is not what its content type says.
pub(super) fn fields(content_type: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    if let Some(rest) = content_type.strip_prefix("multipart/form-data") {
        let boundary = rest.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
        return multipart(boundary.trim_matches('"'), std::str::from_utf8(body).ok()?);
    }
    let text = std::str::from_utf8(body).ok()?;
    Some(urlencoded(text))
}

/// Pairs of a query or url-encoded form.
pub(super) fn urlencoded(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(FIELDS_MAX);
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair: Vec<u8> = rest.by_ref().take(2).collect();
                let hex = std::str::from_utf8(&pair).unwrap_or_default();
                u8::from_str_radix(hex, 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn multipart(boundary: &str, body: &str) -> Option<Vec<(String, String)>> {
    let delimiter = format!("--{boundary}");
    let mut fields = Vec::new();
    for part in body.split(delimiter.as_str()).skip(1).take(FIELDS_MAX) {
        if part.starts_with("--") {
            return Some(fields);
        }
        let (head, value) = part.trim_start_matches("\r\n").split_once("\r\n\r\n")?;
        let name = head.split("name=\"").nth(1)?.split('"').next()?;
        fields.push((name.to_owned(), value.strip_suffix("\r\n")?.to_owned()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_form_are_read() {
        let pairs = urlencoded("a=b+c&d=%C3%A9%26");
        assert_eq!(pairs, [("a", "b c"), ("d", "é&")].map(|(n, v)| (n.to_owned(), v.to_owned())));
        let body = "--X\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\na@b\r\n--X--\r\n";
        let fields = fields("multipart/form-data; boundary=X", body.as_bytes());
        assert_eq!(fields, Some(vec![("to".to_owned(), "a@b".to_owned())]));
        assert_eq!(multipart("X", "--X\r\nhalf"), None);
    }
}
