//! What all laws have in common, and where they meet.

use super::*;
use proptest::prelude::*;
