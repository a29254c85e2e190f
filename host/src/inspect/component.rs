//! The outer shape of a component.

use crate::error::one_line;
use wasmparser::{Chunk, Encoding, Parser, Payload};

/// Imports, exports, memories and the description of a component.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) initial_memory: u64,
    pub(super) maximum_memory: Option<u64>,
    depth: usize,
}

const BROKEN: &str = "build or download it again";
const WASM_PAGE: u64 = 64 << 10;

impl Shape {
    /// Reads the bytes; on failure says what is wrong and what to do.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, (String, &'static str)> {
        check_header(bytes)?;
        let mut shape = Self { maximum_memory: Some(0), ..Self::default() };
        for payload in Parser::new(0).parse_all(bytes) {
            payload
                .and_then(|payload| shape.take(payload))
                .map_err(|error| (format!("it is broken: {}", one_line(error)), BROKEN))?;
        }
        Ok(shape)
    }

    fn take(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.depth += 1,
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.add_memory(&memory?);
                }
            }
            Payload::ComponentImportSection(imports) if self.depth == 0 => {
                for import in imports {
                    self.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(exports) if self.depth == 0 => {
                for export in exports {
                    self.exports.push(export?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) if self.depth == 0 && section.name() == "llm-provider:description" => {
                self.description = Some(String::from_utf8_lossy(section.data()).into_owned());
            }
            _ => {}
        }
        Ok(())
    }

    fn add_memory(&mut self, memory: &wasmparser::MemoryType) {
        let page = memory.page_size_log2.map_or(WASM_PAGE, |log2| 1 << log2.min(16));
        self.initial_memory = self.initial_memory.saturating_add(memory.initial.saturating_mul(page));
        self.maximum_memory = match (self.maximum_memory, memory.maximum) {
            (Some(sum), Some(maximum)) => Some(sum.saturating_add(maximum.saturating_mul(page))),
            _ => None,
        };
    }
}

fn check_header(bytes: &[u8]) -> Result<(), (String, &'static str)> {
    const NEED: &str = "give a component of the world llm:provider/llm-provider, a .wasm file";
    if bytes.is_empty() {
        return Err(("it is empty".into(), NEED));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(("it is not WebAssembly".into(), NEED));
    }
    let core = Parser::new(0).parse(bytes, true).is_ok_and(|chunk| {
        matches!(chunk, Chunk::Parsed { payload: Payload::Version { encoding: Encoding::Module, .. }, .. })
    });
    if core {
        return Err((
            "it is a core module, not a component".into(),
            "wrap it with wit-component, or build for wasm32-wasip2",
        ));
    }
    Ok(())
}
