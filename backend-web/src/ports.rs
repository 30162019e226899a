//! The ports that the Fetch standard blocks ("bad port"). Browsers and Node
//! refuse them by themselves; Deno and Bun would connect (S13).

/// Whether a connection to this port fails. An absent port is a default one.
pub(crate) fn is_blocked(port: &str) -> bool {
    // The host has parsed the URL, so there are only digits.
    let digit = |number: i32, digit: u8| number * 10 + i32::from(digit & 15);
    let number = port.bytes().fold(0, digit);
    let mut blocked = -1;
    let is_it = |&step: &u8| {
        blocked += i32::from(step);
        step < MORE && blocked == number
    };
    !port.is_empty() && STEPS.iter().any(is_it)
}

/// A step that is followed by another one to the same port.
const MORE: u8 = u8::MAX;

/// From each blocked port to the next, in steps of a byte, as every page loads them.
static STEPS: [u8; 115] = {
    let mut steps = [0; 115];
    let (mut at, mut index, mut port) = (0, 0, -1);
    while index < BLOCKED.len() {
        let step = BLOCKED[index] as i32 - port;
        if step < MORE as i32 {
            steps[at] = step as u8;
            index += 1;
        } else {
            steps[at] = MORE;
        }
        port += steps[at] as i32;
        at += 1;
    }
    assert!(at == steps.len());
    steps
};

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
    fn the_ports_of_the_list_are_blocked_and_no_others() {
        for port in 0..=u16::MAX {
            let is_listed = BLOCKED.contains(&port);
            assert_eq!(is_blocked(&port.to_string()), is_listed, "{port}");
        }
        assert!(!is_blocked(""));
    }
}
