//! The ports that the Fetch standard blocks ("bad port"). Browsers and Node
//! refuse them by themselves; Deno and Bun would connect (S13).

/// Whether a connection to this port fails. An absent port is a default one.
pub(crate) fn is_blocked(port: &str) -> bool {
    // The host has parsed the URL, so there are only digits.
    let digit = |number: u32, digit: u8| number * 10 + u32::from(digit & 15);
    let number = port.bytes().fold(0, digit);
    !port.is_empty() && BLOCKED.iter().any(|&port| u32::from(port) == number)
}

const BLOCKED: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_searched() {
        assert!(
            ["0", "25", "6000", "10080"]
                .iter()
                .all(|port| is_blocked(port))
        );
        assert!(
            !["", "80", "443", "8080"]
                .iter()
                .any(|port| is_blocked(port))
        );
    }
}
