//! The built-in laws by name.

use super::{Law, broken_power, constant, large_batch, power, saturating_surge, surge};
use crate::error::Error;

/// All built-in laws.
pub static LAWS: [&dyn Law; 10] = [
    &constant::Constant,
    &power::Power,
    &power::LINEAR,
    &power::SQUARE_ROOT,
    &large_batch::SGD,
    &large_batch::LARGE_BATCH_HALF,
    &surge::Surge,
    &surge::SurgeFreeExponent,
    &saturating_surge::SaturatingSurge,
    &broken_power::BrokenPower,
];

/// The built-in law of this name.
///
/// # Errors
/// [`Error::UnknownLaw`] if there is none.
pub fn by_name(name: &str) -> Result<&'static dyn Law, Error> {
    LAWS.iter()
        .copied()
        .find(|law| law.name() == name)
        .ok_or_else(|| Error::UnknownLaw { found: name.to_owned(), known: LAWS.map(Law::name).join(", ") })
}
