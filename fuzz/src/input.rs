//! Decisions from the bytes of a fuzzer. Where they end, every decision is zero.

/// The rest of the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// One of these.
    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    /// At most so many bytes.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Up to 255 bytes, whose number stands before them.
    pub fn chunk(&mut self) -> &'a [u8] {
        let most = self.byte();
        self.take(most.into())
    }

    /// The same, as text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.chunk()).into_owned()
    }
}

/// Sizes of pieces, which repeat: how a stream of bytes is split. Empty: not at all.
#[derive(Clone, Copy, Debug)]
pub struct Splits<'a>(pub &'a [u8]);

impl<'a> Splits<'a> {
    /// Takes up to seven sizes.
    pub fn new(input: &mut Input<'a>) -> Self {
        let count = input.byte() % 8;
        Splits(input.take(count.into()))
    }

    /// The pieces of a stream, none of them empty.
    pub fn pieces(self, mut stream: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut sizes = self.0.iter().cycle();
        std::iter::from_fn(move || {
            if stream.is_empty() {
                return None;
            }
            let size = match sizes.next() {
                // Large ones, too: some paths begin at 64 KiB.
                Some(&size @ 128..) => usize::from(size - 127) << 10,
                Some(&size) => usize::from(size) + 1,
                None => stream.len(),
            };
            let (piece, rest) = stream.split_at(size.min(stream.len()));
            stream = rest;
            Some(piece)
        })
    }
}
