//! The chat as docs/reconnecting.md shows it is the one that is built.

#[test]
fn the_document_shows_this_chat() {
    let document = include_str!("../../../docs/reconnecting.md");
    let chat = include_str!("../src/main.rs");
    assert!(
        document.contains(&format!("```rust\n{chat}```\n")),
        "copy it there"
    );
    assert!(
        chat.lines().count() <= 60,
        "it has {} lines",
        chat.lines().count()
    );
}
