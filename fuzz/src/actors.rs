//! The shell around the ledger, as far as it reads bytes.

#[path = "../../src/actors/wire.rs"]
pub mod wire;
#[path = "../../src/actors/assembler.rs"]
pub mod assembler;
#[path = "../../src/actors/letter.rs"]
pub mod letter;
#[path = "../checks/actors.rs"]
pub mod checks;
