//! What takes the place of egui and Yew, whose trees of dependencies are large: their
//! types and methods, as far as the programs use them. They do nothing.
//!
//! The programs are in `src/bin`. Each is as short as it can be, so that a change of the
//! interface that makes programs longer is seen here.

/// The part of egui that the chat uses.
pub mod egui {
    /// As `egui::Context`.
    #[derive(Clone, Default)]
    pub struct Context;

    impl Context {
        /// Asks for a frame; from any thread.
        pub fn request_repaint(&self) {}
    }

    /// As `egui::Ui`.
    #[derive(Default)]
    pub struct Ui;

    impl Ui {
        /// Shows a text.
        pub fn label(&mut self, _text: impl Into<String>) {}

        /// A field for a line of text.
        pub fn text_edit_singleline(&mut self, _text: &mut String) {}

        /// A button.
        pub fn button(&mut self, _text: &str) -> Response {
            Response
        }
    }

    /// As `egui::Response`.
    pub struct Response;

    impl Response {
        /// Whether it was clicked in this frame.
        pub fn clicked(&self) -> bool {
            false
        }
    }
}

/// The part of Yew that the feed uses.
pub mod yew {
    use std::marker::PhantomData;

    use futures::Stream;

    /// As `yew::Component`.
    pub trait Component: Sized + 'static {
        /// What changes it.
        type Message: 'static;
        /// What its parent gives it.
        type Properties: Default;
        /// Makes it.
        fn create(ctx: &Context<Self>) -> Self;
        /// Changes it, and says whether it is to be shown again.
        fn update(&mut self, ctx: &Context<Self>, message: Self::Message) -> bool;
        /// Shows it.
        fn view(&self, ctx: &Context<Self>) -> Html;
    }

    /// As `yew::Context`.
    pub struct Context<C: Component>(Scope<C>);

    impl<C: Component> Context<C> {
        /// The way to send it messages.
        pub fn link(&self) -> &Scope<C> {
            &self.0
        }
    }

    /// As `yew::html::Scope`.
    pub struct Scope<C: Component>(PhantomData<C>);

    impl<C: Component> Scope<C> {
        /// Sends each item of a stream to the component.
        pub fn send_stream<M: Into<C::Message>>(&self, _stream: impl Stream<Item = M> + 'static) {}
    }

    /// As `yew::Html`.
    pub struct Html(pub String);

    /// As `yew::Renderer`.
    pub struct Renderer<C: Component>(Context<C>);

    impl<C: Component> Default for Renderer<C> {
        fn default() -> Self {
            Renderer(Context(Scope(PhantomData)))
        }
    }

    impl<C: Component> Renderer<C> {
        /// Puts it into the page.
        pub fn render(self) {
            println!("{}", C::create(&self.0).view(&self.0).0);
        }
    }
}
