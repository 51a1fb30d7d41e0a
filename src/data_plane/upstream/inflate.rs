//! Gzip answers, inflated in small steps with an absolute bound, so that a few kilobytes from an upstream can never
//! become gigabytes here. There is no bound on the ratio: an honest trace full of zeros reaches deflate's own. It reads
//! no socket.

use std::io::Write;

use flate2::write::MultiGzDecoder;

/// Input fed at a time: deflate's worst ratio is about 1032, so one step yields at most 1 MiB.
const STEP_BYTES: usize = 1024;

/// Why a body could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// Not gzip, or a wrong checksum, or cut short.
    Corrupt,
    /// More bytes than allowed.
    TooLarge,
}

/// A gzip stream being inflated.
pub struct Inflate {
    decoder: MultiGzDecoder<Vec<u8>>,
    out_bytes: u64,
    max_bytes: u64,
}

impl Inflate {
    /// A stream that may become at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            decoder: MultiGzDecoder::new(Vec::new()),
            out_bytes: 0,
            max_bytes: max_bytes as u64,
        }
    }

    /// Feeds compressed bytes and appends what they inflate to.
    ///
    /// # Errors
    /// [`InflateError`]; the stream is then useless.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), InflateError> {
        for step in input.chunks(STEP_BYTES) {
            self.decoder
                .write_all(step)
                .map_err(|_| InflateError::Corrupt)?;
            self.drain(out)?;
        }
        Ok(())
    }

    /// The compressed body has ended: appends the rest and checks the trailer.
    ///
    /// # Errors
    /// [`InflateError::Corrupt`] for a stream that was cut short or whose checksum is wrong.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), InflateError> {
        self.decoder
            .try_finish()
            .map_err(|_| InflateError::Corrupt)?;
        self.drain(out)
    }

    fn drain(&mut self, out: &mut Vec<u8>) -> Result<(), InflateError> {
        let inflated = self.decoder.get_mut();
        self.out_bytes += inflated.len() as u64;
        if self.out_bytes > self.max_bytes {
            return Err(InflateError::TooLarge);
        }
        out.append(inflated);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(data: &[u8], max: usize, step: usize) -> Result<Vec<u8>, InflateError> {
        let mut stream = Inflate::new(max);
        let mut out = Vec::new();
        for part in data.chunks(step) {
            stream.push(part, &mut out)?;
        }
        stream.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn any_split_gives_the_same_bytes() {
        let text: Vec<u8> = (0..50_000u32).flat_map(|i| i.to_le_bytes()).collect();
        let packed = gzip(&text);
        for step in [1, 7, 1024, packed.len()] {
            assert_eq!(inflate(&packed, text.len(), step).unwrap(), text);
        }
    }

    #[test]
    fn the_bound_holds_at_its_edge() {
        let packed = gzip(&[b'x'; 5000]);
        assert!(inflate(&packed, 5000, 64).is_ok());
        assert_eq!(inflate(&packed, 4999, 64), Err(InflateError::TooLarge));
    }

    #[test]
    fn a_bomb_is_refused_at_the_bound_and_not_a_step_later() {
        let packed = gzip(&vec![0u8; 64 << 20]);
        let mut stream = Inflate::new(1 << 20);
        let mut out = Vec::new();
        assert_eq!(stream.push(&packed, &mut out), Err(InflateError::TooLarge));
        assert!(out.len() <= 1 << 20);
    }

    #[test]
    fn cut_or_wrong_streams_are_corrupt() {
        let packed = gzip(b"{\"jsonrpc\":\"2.0\"}");
        let cut = packed.get(..packed.len() - 4).unwrap();
        assert_eq!(inflate(cut, 1 << 20, 8), Err(InflateError::Corrupt));
        assert_eq!(inflate(b"<html>", 1 << 20, 8), Err(InflateError::Corrupt));
        let mut wrong = packed.clone();
        let crc_at = wrong.len() - 6;
        wrong[crc_at] ^= 1;
        assert_eq!(inflate(&wrong, 1 << 20, 8), Err(InflateError::Corrupt));
    }
}
