//! Browsers and what they need: a client of WebDriver, a driver for Firefox, and a server
//! of files.
//!
//! Nothing here knows which pages are shown, or what is tested.

pub mod http;
pub mod marionette;
pub mod webdriver;

use std::path::PathBuf;

/// A browser, and what drives it.
pub enum Engine {
    /// The path of chromedriver.
    Chromium(PathBuf),
    Firefox(marionette::FirefoxDriver),
}
