//! All texts of the echo program, in one table: a page for each language, and
//! one more for the older form of the Portuguese page.
//!
//! Invariant: nothing that a person reads stands anywhere else, except what
//! the library itself says: its errors are shown as they are.

#![allow(
    dead_code,
    reason = "the terminal has no buttons, and the page no hint"
)]

use isosocket::ReadyState;

/// What the program says in one language.
#[derive(Debug, PartialEq)]
pub struct Texts {
    /// The language's tag, for `lang` attributes and for `?lang=`.
    pub lang: &'static str,
    /// The older form has no Open button: Send opens the connection.
    pub form: Form,
    /// What the language switch calls this page.
    pub name: &'static str,
    /// The label of the switch.
    pub languages: &'static str,
    pub title: &'static str,
    pub server: &'static str,
    pub message: &'static str,
    pub open: &'static str,
    pub send: &'static str,
    pub close: &'static str,
    /// The heading of the log.
    pub events: &'static str,
    /// What the log says; a received message follows `received`.
    pub sent: Option<&'static str>,
    pub received: &'static str,
    pub closed: &'static str,
    pub unsupported: &'static str,
    /// The states, in the order of `ReadyState`.
    pub states: [&'static str; 4],
    /// What the terminal says before the first line is typed.
    pub hint: &'static str,
}

/// Which controls a page has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// Open, Send and Close.
    Current,
    /// Send, which also opens, and Close.
    Older,
}

const PORTUGUESE: Texts = Texts {
    lang: "pt",
    form: Form::Current,
    name: "Português",
    languages: "Idioma",
    title: "Eco por WebSocket",
    server: "Servidor",
    message: "Mensagem",
    open: "Abrir conexão",
    send: "Enviar",
    close: "Fechar conexão",
    events: "Eventos",
    sent: None,
    received: "Mensagem recebida",
    closed: "A conexão está fechada",
    unsupported: "WebSocket não é suportado pelo seu navegador",
    states: ["conectando", "aberta", "fechando", "fechada"],
    hint: "Cada linha é enviada. O fim da entrada fecha a conexão.",
};

pub static PAGES: [Texts; 5] = [
    Texts {
        lang: "en",
        form: Form::Current,
        name: "English",
        languages: "Language",
        title: "WebSocket echo",
        server: "Server",
        message: "Message",
        open: "Open connection",
        send: "Send",
        close: "Close connection",
        events: "Events",
        sent: None,
        received: "Message received",
        closed: "Connection is closed",
        unsupported: "WebSocket is not supported by your browser",
        states: ["connecting", "open", "closing", "closed"],
        hint: "Each line is sent. The end of the input closes the connection.",
    },
    Texts {
        lang: "fr",
        form: Form::Current,
        name: "Français",
        languages: "Langue",
        title: "Écho par WebSocket",
        server: "Serveur",
        message: "Message",
        open: "Ouvrir la connexion",
        send: "Envoyer",
        close: "Fermer la connexion",
        events: "Événements",
        sent: None,
        received: "Message reçu",
        closed: "La connexion est fermée",
        unsupported: "WebSocket n'est pas pris en charge par votre navigateur",
        states: [
            "connexion en cours",
            "ouverte",
            "fermeture en cours",
            "fermée",
        ],
        hint: "Chaque ligne est envoyée. La fin de l'entrée ferme la connexion.",
    },
    Texts {
        lang: "es",
        form: Form::Current,
        name: "Español",
        languages: "Idioma",
        title: "Eco por WebSocket",
        server: "Servidor",
        message: "Mensaje",
        open: "Abrir conexión",
        send: "Enviar",
        close: "Cerrar conexión",
        events: "Eventos",
        sent: None,
        received: "Mensaje recibido",
        closed: "La conexión está cerrada",
        unsupported: "Tu navegador no admite WebSocket",
        states: ["conectando", "abierta", "cerrando", "cerrada"],
        hint: "Cada línea se envía. El fin de la entrada cierra la conexión.",
    },
    PORTUGUESE,
    Texts {
        form: Form::Older,
        name: "Português (forma antiga)",
        sent: Some("Mensagem foi enviada"),
        closed: "Conexão foi fechada",
        ..PORTUGUESE
    },
];

impl Texts {
    pub fn state(&self, state: ReadyState) -> &'static str {
        let [connecting, open, closing, closed] = self.states;
        match state {
            ReadyState::Connecting => connecting,
            ReadyState::Open => open,
            ReadyState::Closing => closing,
            ReadyState::Closed => closed,
        }
    }
}

/// The page that is asked for: the first language that there is, in the order
/// of preference, else English. The tags may have a region, as `fr-CA` or
/// `fr_CA.UTF-8`.
pub fn choose<'a>(tags: impl IntoIterator<Item = &'a str>, form: Form) -> &'static Texts {
    let of_tag = |tag: &str| {
        let lang = tag.split(['-', '_', '.', '@']).next().unwrap_or_default();
        let same = |page: &&Texts| page.lang.eq_ignore_ascii_case(lang);
        let exact = |page: &&Texts| same(page) && page.form == form;
        PAGES.iter().find(exact).or_else(|| PAGES.iter().find(same))
    };
    tags.into_iter().find_map(of_tag).unwrap_or(&PAGES[0])
}
