//! What can be sent, and what a message can be turned into: the conversions a
//! program expects to be there, each of which must not change kind or content.

#![allow(
    clippy::needless_borrows_for_generic_args,
    reason = "that references can be sent is what is tested"
)]

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use isosocket_core::{Binary, Data, Event, Message, MessageRef, SendError, Text};

#[track_caller]
fn is_text(data: impl Data) {
    assert_eq!(data.as_message(), MessageRef::Text("grüße"));
    assert_eq!(data.into_message().as_text(), Some("grüße"));
}

#[track_caller]
fn is_binary(data: impl Data) {
    assert_eq!(data.as_message(), MessageRef::Binary(&[1, 2, 3]));
    let message = data.into_message();
    assert!(message.is_binary());
    assert_eq!(message.as_bytes(), [1, 2, 3]);
}

#[test]
fn all_kinds_of_strings_are_sent_as_text() {
    let text = "grüße";
    is_text(text);
    is_text(&text);
    is_text(&&text);
    is_text(String::from(text));
    is_text(&String::from(text));
    is_text(&mut String::from(text));
    is_text(Text::from(text));
    is_text(&Text::from(text));
    is_text(Cow::Borrowed(text));
    is_text(Cow::<str>::Owned(text.to_owned()));
    is_text(&Cow::Borrowed(text));
    is_text(Box::<str>::from(text));
    is_text(Arc::<str>::from(text));
    is_text(&Arc::<str>::from(text));
    is_text(Rc::<str>::from(text));
    is_text(Message::from(text));
    is_text(&Message::from(text));
    is_text(Arc::new(Message::from(text)));
    is_text(MessageRef::Text(text));
}

#[test]
fn all_kinds_of_bytes_are_sent_as_binary() {
    let data = [1, 2, 3];
    is_binary(data);
    is_binary(&data);
    is_binary(&&data[..]);
    is_binary(&data[..]);
    is_binary(data.to_vec());
    is_binary(&data.to_vec());
    is_binary(Bytes::from_static(&[1, 2, 3]));
    is_binary(&Bytes::from_static(&[1, 2, 3]));
    is_binary(BytesMut::from(&data[..]));
    is_binary(&BytesMut::from(&data[..]));
    is_binary(Binary::from(data));
    is_binary(&Binary::from(data));
    is_binary(Cow::Borrowed(&data[..]));
    is_binary(Cow::<[u8]>::Owned(data.to_vec()));
    is_binary(Box::<[u8]>::from(data));
    is_binary(Arc::<[u8]>::from(data));
    is_binary(Rc::<[u8]>::from(data));
    is_binary(Message::from(data));
    is_binary(MessageRef::Binary(&data));
}

#[test]
fn what_can_be_sent_can_be_made_a_message() {
    for message in [
        Message::from("a"),
        Message::from(&"a"),
        Message::from(Cow::Borrowed("a")),
        Message::from(Arc::<str>::from("a")),
        Message::from(MessageRef::Text("a")),
        Message::from(&Message::from("a")),
    ] {
        assert_eq!(message, "a");
    }
}

#[test]
fn a_reference_to_what_is_cheap_to_clone_is_not_copied() {
    let long = Bytes::from(vec![7; 1000]);
    let start = long.as_ptr();
    assert_eq!((&long).into_message().as_bytes().as_ptr(), start);
    assert_eq!((&&long).into_message().as_bytes().as_ptr(), start);
    let message = Message::from(long);
    assert_eq!((&message).into_message().as_bytes().as_ptr(), start);
    assert_eq!(Arc::new(message).into_message().as_bytes().as_ptr(), start);
    let boxed = vec![7; 1000].into_boxed_slice();
    let start = boxed.as_ptr();
    assert_eq!(boxed.into_message().as_bytes().as_ptr(), start);
    let text = "x".repeat(1000);
    let start = text.as_ptr();
    let owned = Cow::<str>::Owned(text);
    assert_eq!(owned.into_message().as_bytes().as_ptr(), start);
}

#[test]
fn a_type_of_the_program_can_be_sent_by_one_method() {
    enum Command {
        Left,
        Right,
    }
    impl Data for Command {
        fn as_message(&self) -> MessageRef<'_> {
            MessageRef::Text(match self {
                Command::Left => "left",
                Command::Right => "right",
            })
        }
    }
    assert_eq!(Command::Left.into_message(), "left");
    assert_eq!((&Command::Right).into_message(), "right");
}

#[test]
fn a_text_message_becomes_text() {
    let message = Message::from("grüße");
    assert_eq!(message.clone().into_text().unwrap(), "grüße");
    assert_eq!(String::try_from(message.clone()).unwrap(), "grüße");
    assert_eq!(Text::try_from(message.clone()).unwrap(), "grüße");
    assert_eq!(<&str>::try_from(&message).unwrap(), "grüße");
    assert_eq!(message.to_string(), "grüße");
    assert_eq!(format!("<{message:>7}>"), "<  grüße>");
}

#[test]
fn a_binary_message_becomes_no_text_and_is_not_lost() {
    let error = Message::from([1, 2, 3]).into_text().unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a text message, not a binary one of 3 bytes"
    );
    assert_eq!(error.message(), &[1, 2, 3]);
    assert_eq!(error.into_message(), [1, 2, 3]);
    assert!(String::try_from(Message::from([65])).is_err());
    assert!(<&str>::try_from(&Message::from([65])).is_err());
    assert_eq!(Message::from([65]).to_string(), "binary message of 1 byte");
}

#[test]
fn every_message_becomes_bytes() {
    for message in [Message::from("ab"), Message::from(b"ab")] {
        assert_eq!(Vec::<u8>::from(message.clone()), b"ab");
        assert_eq!(Bytes::from(message.clone()), b"ab"[..]);
        assert_eq!(AsRef::<[u8]>::as_ref(&message), b"ab");
    }
}

#[test]
fn messages_are_compared_with_what_they_hold() {
    let text = Message::from("ab");
    assert_eq!(text, "ab");
    assert_eq!(text, *"ab");
    assert_eq!(text, String::from("ab"));
    assert_eq!("ab", text);
    assert_ne!(text, b"ab");
    assert_ne!(text, "a");
    let binary = Message::from(b"ab");
    assert_eq!(binary, b"ab");
    assert_eq!(binary, *b"ab");
    assert_eq!(binary, b"ab"[..]);
    assert_eq!(binary, &b"ab"[..]);
    assert_eq!(binary, b"ab".to_vec());
    assert_ne!(binary, "ab");
    assert_eq!(vec![Message::from("a"), Message::from("b")], ["a", "b"]);
}

#[test]
fn debug_shows_kind_length_and_the_beginning() {
    assert_eq!(
        format!("{:?}", Message::from("a\n")),
        r#"Text("a\n", 2 bytes)"#
    );
    assert_eq!(
        format!("{:?}", Message::from([0, 65])),
        r#"Binary(b"\x00A", 2 bytes)"#
    );
    assert_eq!(format!("{:?}", Message::from("a")), r#"Text("a", 1 byte)"#);
    assert_eq!(
        format!("{:?}", MessageRef::Text("a")),
        r#"Text("a", 1 byte)"#
    );
    let whole = "x".repeat(64);
    assert!(format!("{:?}", Message::from(&whole)).contains(&format!("\"{whole}\",")));
}

#[test]
fn debug_of_nothing_that_holds_a_message_prints_all_of_it() {
    // é has two bytes: the cut falls into the middle of one.
    let text = Message::from("xé".repeat(100_000));
    let data = Message::from(vec![0xFF; 300_000]);
    for message in [text, data] {
        let error = SendError::Full(message.clone());
        for shown in [
            format!("{message:?}"),
            format!("{message:#?}"),
            format!("{:?}", Event::Message(message.clone())),
            format!("{error:?}"),
            format!("{:?}", Err::<(), _>(error.clone())),
        ] {
            assert!(shown.contains("300000 bytes"), "{shown}");
            assert!(shown.contains("…"), "{shown}");
            assert!(shown.len() < 400, "{} bytes", shown.len());
        }
    }
}
