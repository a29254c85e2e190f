//! The program `llmp`, as a person runs it.
