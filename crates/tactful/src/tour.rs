//! placeholder
use anyhow::Result;
pub fn tour(_: &mut impl std::io::Write) -> Result<std::process::ExitCode> {
    Ok(std::process::ExitCode::SUCCESS)
}
