//! The fake Copilot CLI as a process: `fake_cli DELTAS`, on standard input and output.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use llmp_tests::fake_cli::FakeCli;
use std::io::{self, BufWriter, Read, Write};

fn main() -> io::Result<()> {
    let deltas = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3);
    let mut server = FakeCli::new(deltas);
    let (mut input, mut out) = (io::stdin().lock(), BufWriter::with_capacity(1 << 16, io::stdout().lock()));
    let mut buffer = [0; 1 << 16];
    while !server.over() {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        server.receive(&buffer[..count], &mut out)?;
        out.flush()?;
    }
    Ok(())
}
