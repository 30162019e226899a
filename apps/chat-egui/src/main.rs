//! A chat with egui. Desktop: `chat-egui [URL] [--name NAME]`; page: `?url=..&name=..`.
//!
//! The server is one that sends each message to everybody, such as `apps/hub`.

mod chat;
#[cfg(all(test, not(target_family = "wasm")))]
mod tests;

use chat::{Chat, Script};
use eframe::egui::Ui;

const URL: &str = "ws://127.0.0.1:9000/";

/// The program as eframe wants it.
struct App {
    chat: Chat,
    #[cfg(not(target_family = "wasm"))]
    end: desktop::End,
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut Ui, _: &mut eframe::Frame) {
        self.chat.ui(ui);
        #[cfg(not(target_family = "wasm"))]
        self.end.check(ui.ctx(), &self.chat);
    }
}

#[cfg(not(target_family = "wasm"))]
fn main() -> eframe::Result {
    desktop::main()
}

#[cfg(not(target_family = "wasm"))]
mod desktop {
    //! The window, and options for tests: `--say TEXT`, `--print`, `--until TEXT` ends the
    //! program once that is shown, and `--picture PATH` writes what the window shows then.

    use std::fs;

    use eframe::egui::{ColorImage, Context, ViewportBuilder, ViewportCommand};

    use super::{App, Chat, Script, URL};

    /// When the program ends by itself.
    #[derive(Clone, Default)]
    pub struct End {
        until: Option<String>,
        picture: Option<String>,
    }

    impl End {
        pub fn check(&mut self, context: &Context, chat: &Chat) {
            if self.until.take_if(|text| chat.shows(text)).is_none() {
                return;
            }
            let Some(path) = self.picture.take() else {
                return context.send_viewport_cmd(ViewportCommand::Close);
            };
            let again = context.clone();
            context.request_screenshot(move |image| {
                if let Err(error) = write(&path, &image) {
                    eprintln!("chat-egui: {path}: {error}");
                }
                again.send_viewport_cmd(ViewportCommand::Close);
                again.request_repaint();
            });
        }
    }

    /// As a portable pixmap, which needs no library.
    fn write(path: &str, image: &ColorImage) -> std::io::Result<()> {
        let mut file = format!("P6\n{} {}\n255\n", image.width(), image.height()).into_bytes();
        file.extend(
            image
                .pixels
                .iter()
                .flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]),
        );
        fs::write(path, file)
    }

    pub fn main() -> eframe::Result {
        let (mut url, mut name) = (URL.to_owned(), "me".to_owned());
        let (mut script, mut end) = (Script::default(), End::default());
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--name" => name = arguments.next().unwrap_or(name),
                "--say" => script.say.extend(arguments.next()),
                "--print" => script.print = Some(|text| println!("{text}")),
                "--until" => end.until = arguments.next(),
                "--picture" => end.picture = arguments.next(),
                _ => url = argument,
            }
        }
        let viewport = ViewportBuilder::default().with_inner_size([420.0, 260.0]);
        let options = eframe::NativeOptions {
            viewport,
            ..Default::default()
        };
        let start = move |cc: &eframe::CreationContext<'_>| {
            let chat = Chat::new(&cc.egui_ctx, &url, &name, script)?;
            Ok(Box::new(App { chat, end }) as Box<dyn eframe::App>)
        };
        eframe::run_native("A chat with egui", options, Box::new(start))
    }
}

#[cfg(target_family = "wasm")]
fn main() {
    use wasm_bindgen::JsCast;

    let window = web_sys::window().expect("a page has a window");
    let document = window.document().expect("a page has a document");
    let canvas = document
        .get_element_by_id("chat")
        .expect("the page has the canvas");
    let canvas = canvas.dyn_into().expect("it is a canvas");
    let search = window.location().search().unwrap_or_default();
    let query = web_sys::UrlSearchParams::new_with_str(&search).expect("a query is text");
    let url = query.get("url").unwrap_or_else(|| URL.to_owned());
    let name = query.get("name").unwrap_or_else(|| "me".to_owned());
    let script = Script {
        say: query.get("say").into_iter().collect(),
        print: Some(|text| web_sys::console::log_1(&text.into())),
    };
    let start = move |cc: &eframe::CreationContext<'_>| {
        let chat = Chat::new(&cc.egui_ctx, &url, &name, script)?;
        Ok(Box::new(App { chat }) as Box<dyn eframe::App>)
    };
    wasm_bindgen_futures::spawn_local(async move {
        let runner = eframe::WebRunner::new();
        let started = runner.start(canvas, eframe::WebOptions::default(), Box::new(start));
        if let Err(error) = started.await {
            web_sys::console::error_1(&error);
        }
    });
}
