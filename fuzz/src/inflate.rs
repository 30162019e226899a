//! A second inflater, written from RFC 1951 alone. It is as simple as possible: it decodes
//! bit by bit, and an incomplete block again from its start when more has come.

/// The data is corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// Why a block was not decoded to its end.
enum Stop {
    /// More bytes are needed.
    Incomplete,
    Corrupt,
}

/// The farthest that data refers back.
const WINDOW: usize = 32 << 10;

/// A stream of blocks.
#[derive(Default)]
pub struct Inflater {
    /// What came since the last complete block began, and how many bits of it are done.
    input: Vec<u8>,
    done: usize,
    /// What came out of all complete blocks.
    history: Vec<u8>,
    /// How much of the incomplete block's output was given.
    given: usize,
    /// Something came since the message began, or since a last block ended.
    pub inside: bool,
}

impl Inflater {
    /// Takes the next bytes, and appends what they come to.
    pub fn add(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Corrupt> {
        self.input.extend_from_slice(bytes);
        self.inside |= !bytes.is_empty();
        loop {
            let mut bits = Bits {
                bytes: &self.input,
                at: self.done,
            };
            let mut block = Vec::new();
            let ended = block_of(&mut bits, &self.history, &mut block);
            out.extend_from_slice(block.get(self.given..).unwrap_or_default());
            match ended {
                Err(Stop::Corrupt) => return Err(Corrupt),
                Err(Stop::Incomplete) => {
                    self.given = self.given.max(block.len());
                    return Ok(());
                }
                Ok(is_last) => {
                    self.given = 0;
                    self.done = bits.at;
                    self.history.extend(block);
                    let excess = self.history.len().saturating_sub(WINDOW);
                    self.history.drain(..excess);
                    if is_last {
                        // What follows is a stream of its own, from the next byte on.
                        let rest = self.input.split_off(self.done.div_ceil(8));
                        self.inside = !rest.is_empty();
                        self.input = rest;
                        self.done = 0;
                        self.history.clear();
                    }
                    let whole = self.done / 8;
                    self.input.drain(..whole);
                    self.done -= whole * 8;
                }
            }
        }
    }
}

/// Bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Result<usize, Stop> {
        let byte = self.bytes.get(self.at / 8).ok_or(Stop::Incomplete)?;
        let bit = usize::from(byte >> (self.at % 8) & 1);
        self.at += 1;
        Ok(bit)
    }

    fn number(&mut self, bits: usize) -> Result<usize, Stop> {
        (0..bits).try_fold(0, |sum, place| Ok(sum | self.bit()? << place))
    }
}

/// Decodes one block; says whether it calls itself the last.
fn block_of(bits: &mut Bits<'_>, history: &[u8], out: &mut Vec<u8>) -> Result<bool, Stop> {
    let is_last = bits.bit()? == 1;
    match bits.number(2)? {
        0 => {
            bits.at = bits.at.div_ceil(8) * 8;
            let (length, complement) = (bits.number(16)?, bits.number(16)?);
            if length != complement ^ 0xFFFF {
                return Err(Stop::Corrupt);
            }
            for _ in 0..length {
                out.push(bits.number(8)? as u8);
            }
        }
        1 => {
            let mut lengths = [8; 288];
            lengths[144..256].fill(9);
            lengths[256..280].fill(7);
            let (literals, distances) = (Code::new(&lengths), Code::new(&[5; 32]));
            compressed(bits, &literals, &distances, history, out)?;
        }
        2 => {
            let (literals, distances) = dynamic(bits)?;
            compressed(bits, &literals, &distances, history, out)?;
        }
        _ => return Err(Stop::Corrupt),
    }
    Ok(is_last)
}

/// A Huffman code: each symbol by the length and value of its word.
struct Code {
    /// How many words there are of each length.
    counts: [usize; 16],
    /// The symbols, sorted by length and then by value.
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        for &length in lengths {
            counts[length] += 1;
        }
        counts[0] = 0;
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|&at| lengths[at] > 0).collect();
        symbols.sort_by_key(|&symbol| lengths[symbol]);
        Code { counts, symbols }
    }

    /// How many words of the greatest length are missing; negative if there are too many.
    fn left(&self) -> i64 {
        self.counts[1..].iter().fold(1, |left, &count| match left {
            ..0 => left,
            left => left * 2 - count as i64,
        })
    }

    /// RFC 1951, 3.2.2: complete, or with one word of one bit, or with none.
    fn is_complete(&self, may_lack: bool) -> bool {
        let is_lone = self.symbols.len() <= 1 && self.counts[1] == self.symbols.len();
        self.left() == 0 || (may_lack && is_lone)
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Result<usize, Stop> {
        let (mut word, mut first, mut index) = (0, 0, 0);
        let is_lone = self.symbols.len() <= 1;
        for count in &self.counts[1..] {
            word |= bits.bit()?;
            if word < first + count {
                return Ok(self.symbols[index + word - first]);
            }
            if is_lone {
                break;
            }
            index += count;
            first = (first + count) << 1;
            word <<= 1;
        }
        Err(Stop::Corrupt)
    }
}

/// RFC 1951, 3.2.7.
fn dynamic(bits: &mut Bits<'_>) -> Result<(Code, Code), Stop> {
    const ORDER: [usize; 19] = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    let literals = bits.number(5)? + 257;
    let distances = bits.number(5)? + 1;
    let count = bits.number(4)? + 4;
    if literals > 286 || distances > 30 {
        return Err(Stop::Corrupt);
    }
    let mut lengths = [0; 19];
    for &at in &ORDER[..count] {
        lengths[at] = bits.number(3)?;
    }
    let code = Code::new(&lengths);
    // As in zlib, a code without words is found out at the end: the end of block is missing.
    let is_empty = code.symbols.is_empty();
    if !is_empty && !code.is_complete(false) {
        return Err(Stop::Corrupt);
    }
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let symbol = match is_empty {
            true => bits.bit().map(|_| 0)?,
            false => code.symbol(bits)?,
        };
        let (length, times) = match symbol {
            16 => {
                let times = 3 + bits.number(2)?;
                (*lengths.last().ok_or(Stop::Corrupt)?, times)
            }
            17 => (0, 3 + bits.number(3)?),
            18 => (0, 11 + bits.number(7)?),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    if lengths.len() > literals + distances || lengths[256] == 0 {
        return Err(Stop::Corrupt);
    }
    let (literals, distances) = lengths.split_at(literals);
    let (literals, distances) = (Code::new(literals), Code::new(distances));
    if !literals.is_complete(true) || !distances.is_complete(true) {
        return Err(Stop::Corrupt);
    }
    Ok((literals, distances))
}

/// RFC 1951, 3.2.5.
fn compressed(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    history: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Stop> {
    loop {
        let symbol = literals.symbol(bits)?;
        let length = match symbol {
            0..=255 => {
                out.push(symbol as u8);
                continue;
            }
            256 => return Ok(()),
            257..=264 => symbol - 254,
            265..=284 => {
                let extra = (symbol - 261) / 4;
                ((4 + (symbol - 261) % 4) << extra) + 3 + bits.number(extra)?
            }
            285 => 258,
            _ => return Err(Stop::Corrupt),
        };
        let symbol = distances.symbol(bits)?;
        let distance = match symbol {
            0..=3 => symbol + 1,
            4..=29 => {
                let extra = symbol / 2 - 1;
                ((2 + symbol % 2) << extra) + 1 + bits.number(extra)?
            }
            _ => return Err(Stop::Corrupt),
        };
        if distance > history.len() + out.len() {
            return Err(Stop::Corrupt);
        }
        for _ in 0..length {
            let byte = match distance <= out.len() {
                true => out[out.len() - distance],
                false => history[history.len() + out.len() - distance],
            };
            out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_library_deflates_is_inflated() {
        let pattern = |n: usize| (n * n / 7 % 251 + n % 3) as u8;
        for level in 0..10 {
            for size in [0, 1, 100, 5000, 100_000] {
                let data: Vec<u8> = (0..size).map(pattern).collect();
                let packed = miniz_oxide::deflate::compress_to_vec(&data, level);
                for piece in [1000, packed.len()] {
                    let (mut inflater, mut out) = (Inflater::default(), Vec::new());
                    for piece in packed.chunks(piece) {
                        assert_eq!(inflater.add(piece, &mut out), Ok(()));
                    }
                    assert!(out == data && !inflater.inside, "{level} {size}");
                }
            }
        }
    }
}
