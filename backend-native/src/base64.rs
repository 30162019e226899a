//! Base64 with padding (RFC 4648, section 4), for keys and logins.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(group);
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place)) as usize % 64];
            text.push(if place > chunk.len() {
                '='
            } else {
                digit.into()
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{ALPHABET, encode};

    /// RFC 4648, section 10.
    #[test]
    fn the_examples_of_the_standard_are_encoded() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(text.as_bytes()), encoded);
        }
    }

    #[test]
    fn each_digit_has_its_letter() {
        let digits: Vec<u32> = (0..64).collect();
        let bytes: Vec<u8> = digits
            .chunks(4)
            .flat_map(|four| {
                let bits = four.iter().fold(0, |bits, digit| bits << 6 | digit);
                bits.to_be_bytes().into_iter().skip(1)
            })
            .collect();
        assert_eq!(encode(&bytes).as_bytes(), ALPHABET);
    }
}
