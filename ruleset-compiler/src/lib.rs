//! Compiles rule text into bundles, and explains what a bundle does.
