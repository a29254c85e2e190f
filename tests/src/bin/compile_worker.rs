//! Compiles plugins for the hosts of the tests.

fn main() -> std::io::Result<()> {
    llm_provider_host::compile_worker(std::io::stdin().lock(), std::io::stdout().lock())
}
