//! What is read of metadata, and what is refused.
