//! Percent-encoding, as it stands in paths (RFC 3986 §2.1).

/// The bytes that a text stands for; none where no two hexadecimal digits follow a `%`.
#[must_use]
pub fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits make a byte"));
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_escape_is_a_byte_and_half_an_escape_is_nothing() {
        assert_eq!(decoded("a%2Fb%c3%A4+"), Some("a/b\u{e4}+".as_bytes().to_vec()));
        for text in ["%", "a%2", "%g0", "%0\u{e4}", "%+1"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
