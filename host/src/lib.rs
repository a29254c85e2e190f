//! wip
mod bindings; mod effect; mod error; mod limits; mod sandbox; mod inspect; mod secret; mod scrub;
pub use effect::*; pub use error::*; pub use limits::*; pub use sandbox::Sandbox; pub use inspect::*; pub use secret::*;
