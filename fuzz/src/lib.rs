//! Fuzz targets of the pure crates.
