//! Compiles plugins for the hosts of the tests. With an argument it never comes to an end with components that contain it.

use std::io::Read;
use std::time::Duration;

fn main() -> std::io::Result<()> {
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input)?;
    let mark = std::env::args().nth(1).unwrap_or_default();
    if !mark.is_empty() && input.windows(mark.len()).any(|window| window == mark.as_bytes()) {
        std::thread::sleep(Duration::from_secs(3_600));
    }
    llm_provider_host::compile_worker(input.as_slice(), std::io::stdout().lock())
}
