//! The outer shape of a component, and whether it is one that may be compiled.

use crate::error::one_line;
use crate::limits::Limits;
use wasmparser::{CanonicalFunction, CanonicalOption, Chunk, Encoding, Parser, Payload};

/// Imports, exports, memories and the description of a component.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) initial_memory: u64,
    pub(super) maximum_memory: Option<u64>,
    depth: usize,
    parts: usize,
    items: usize,
    functions: usize,
}

/// What is wrong, and what to do.
type Refusal = (String, &'static str);

const BROKEN: &str = "build or download it again";
const TOO_LARGE: &str = "raise that field of `Limits` if you trust it";
const NO_TEXT: &str = "build it with a toolchain that passes strings as UTF-8, as those for Rust, C and Go do";
const WASM_PAGE: u64 = 64 << 10;

impl Shape {
    /// Reads the bytes; on failure says what is wrong and what to do.
    pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        check_header(bytes)?;
        let mut shape = Self { maximum_memory: Some(0), ..Self::default() };
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(broken)?;
            shape.count(&payload, limits)?;
            shape.take(payload).map_err(broken)?;
        }
        Ok(shape)
    }

    /// Refuses what would cost too much to compile. The counts are what the sections claim, before any of it is read.
    fn count(&mut self, payload: &Payload<'_>, limits: &Limits) -> Result<(), Refusal> {
        let items = match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.depth += 1;
                self.parts += 1;
                within("component_depth", self.depth, limits.component_depth)?;
                return within("component_parts", self.parts, limits.component_parts);
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                return Ok(());
            }
            Payload::FunctionSection(section) => {
                self.functions = self.functions.saturating_add(number(section.count()));
                return within("component_functions", self.functions, limits.component_functions);
            }
            Payload::CodeSectionEntry(body) => {
                return within("component_function_bytes", body.range().len(), limits.component_function_bytes);
            }
            Payload::TypeSection(section) => section.count(),
            Payload::ImportSection(section) => section.count(),
            Payload::ExportSection(section) => section.count(),
            Payload::ComponentTypeSection(section) => section.count(),
            Payload::ComponentImportSection(section) => section.count(),
            Payload::ComponentExportSection(section) => section.count(),
            Payload::ComponentAliasSection(section) => section.count(),
            Payload::ComponentInstanceSection(section) => section.count(),
            Payload::InstanceSection(section) => section.count(),
            Payload::CoreTypeSection(section) => section.count(),
            Payload::ComponentCanonicalSection(section) => {
                section.clone().into_iter().try_for_each(|function| utf8_only(&function.map_err(broken)?))?;
                section.count()
            }
            _ => 0,
        };
        self.items = self.items.saturating_add(number(items));
        within("component_items", self.items, limits.component_items)
    }

    fn take(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
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

fn broken(error: wasmparser::BinaryReaderError) -> Refusal {
    (format!("it is broken: {}", one_line(error)), BROKEN)
}

fn number(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn within(limit: &str, observed: usize, configured: usize) -> Result<(), Refusal> {
    if observed <= configured {
        return Ok(());
    }
    Err((format!("it passes the limit of {limit}: {observed} of {configured}"), TOO_LARGE))
}

/// Other encodings had to be converted in the host, where that code had several holes (RUSTSEC-2026-0091 to 0093).
fn utf8_only(function: &CanonicalFunction) -> Result<(), Refusal> {
    let options = match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => options,
        _ => return Ok(()),
    };
    let other = options.iter().any(|option| matches!(option, CanonicalOption::UTF16 | CanonicalOption::CompactUTF16));
    if other { Err(("it passes strings that are not UTF-8".into(), NO_TEXT)) } else { Ok(()) }
}

fn check_header(bytes: &[u8]) -> Result<(), Refusal> {
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
