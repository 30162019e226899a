//! The Close frame, both ways.

use isosocket_native::fuzzing;

use crate::reference;

pub fn run(data: &[u8]) {
    let found = fuzzing::parse_close(data);
    assert_eq!(found, reference::close(data));
    // What is accepted is echoed as it came (S80), in a frame that is masked.
    if let (Ok(Some((code, reason))), true) = (found, data.len() <= 125) {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        assert_eq!(payload, data);
        let mask = [data[0], data[1], 0x5A, data[data.len() - 1]];
        let frame = fuzzing::encode(8, &payload, mask);
        assert_eq!(frame[..2], [0x88, 0x80 | data.len() as u8]);
        assert_eq!(frame[2..6], mask);
        let unmasked = frame[6..].iter().zip(mask.iter().cycle());
        assert!(unmasked.map(|(byte, key)| byte ^ key).eq(payload));
    }
}
